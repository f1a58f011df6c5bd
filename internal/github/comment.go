package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// maxBody is the limit that GitHub names for a comment, in characters. It is kept
// in bytes, which are never fewer.
const maxBody = 65536

// MaxComment is how many bytes of Markdown a comment has room for, beside the
// marker of its key.
const MaxComment = maxBody - 1<<10

// maxPages bounds how far back comments are looked through, 100 a page.
const maxPages = 30

// comments are those of turnout on one pull request, one a key. A comment is
// ours when it begins with our marker and is by whom GitHub takes us for: anyone
// can write a marker, and anyone's comment may quote one.
type comments struct {
	client *client
	number int // of the pull request

	mu  sync.Mutex
	all map[string]*comment // by key

	login string // whose comments are ours; the desk's alone
}

// comment is one of them. Below wanted, all is the desk's alone.
type comment struct {
	wanted string

	id   int64 // 0: not found yet
	told string
}

func (c *comments) want(key, markdown string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all[key] == nil {
		c.all[key] = &comment{}
	}
	c.all[key].wanted = cutTo(marker(key)+"\n"+c.client.masker.String(markdown), maxBody)
}

// marker is the line that finds the comment of a key again, and is not shown.
func marker(key string) string { return "<!-- turnout " + url.PathEscape(key) + " -->" }

// sync writes the comments that say something else than they should.
func (c *comments) sync(ctx context.Context) error {
	for _, key := range c.keys() {
		if err := c.write(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (c *comments) keys() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for key, one := range c.all {
		if one.told != one.wanted {
			all = append(all, key)
		}
	}
	return all
}

func (c *comments) write(ctx context.Context, key string) error {
	c.mu.Lock()
	one, wanted := c.all[key], c.all[key].wanted
	c.mu.Unlock()
	if err := c.place(ctx, key, one, wanted); err != nil {
		return err
	}
	one.told = wanted
	return nil
}

// place updates our comment, or makes it where there is none. Of two runs that
// make one at the same time each finds both afterwards; the first stays.
func (c *comments) place(ctx context.Context, key string, one *comment, body string) error {
	if one.id != 0 {
		err := c.update(ctx, one.id, body)
		if !gone(err) {
			return err
		}
		one.id = 0 // somebody removed it
	}
	first, err := c.find(ctx, key)
	if err != nil {
		return err
	}
	if first.ID != 0 {
		one.id = first.ID
		return c.update(ctx, first.ID, body)
	}
	var made oldComment
	path := fmt.Sprintf("issues/%d/comments", c.number)
	if err := c.client.send(ctx, http.MethodPost, path, newComment{body}, &made); err != nil {
		return err
	}
	one.id = made.ID
	return c.yield(ctx, key, one, body)
}

// yield removes the comment that was just made where another run was first.
func (c *comments) yield(ctx context.Context, key string, one *comment, body string) error {
	first, err := c.find(ctx, key)
	if err != nil || first.ID == 0 || first.ID >= one.id {
		return err
	}
	if err := c.client.remove(ctx, fmt.Sprintf("issues/comments/%d", one.id)); err != nil && !gone(err) {
		return err
	}
	one.id = first.ID
	return c.update(ctx, first.ID, body)
}

func (c *comments) update(ctx context.Context, id int64, body string) error {
	return c.client.send(ctx, http.MethodPatch, fmt.Sprintf("issues/comments/%d", id), newComment{body}, nil)
}

type newComment struct {
	Body string `json:"body"`
}

// oldComment is one that is there.
type oldComment struct {
	ID   int64  `json:"id"`
	Body string `json:"body"`
	User struct {
		Login string `json:"login"`
	} `json:"user"`
}

// find is the first of our comments of a key; its id is 0 where there is none.
func (c *comments) find(ctx context.Context, key string) (first oldComment, err error) {
	if c.login == "" {
		if c.login, err = c.client.viewer(ctx); err != nil {
			return first, err
		}
	}
	path := fmt.Sprintf("issues/%d/comments?per_page=100", c.number)
	err = pages(ctx, c.client, path, maxPages, func(list []oldComment) bool {
		for _, other := range list {
			if other.User.Login == c.login && strings.HasPrefix(other.Body, marker(key)) {
				first = other
				return true
			}
		}
		return false
	})
	return first, err
}

// cutTo is text of at most so many bytes; what is cut ends in a mark of it.
func cutTo(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const sign = "…"
	return strings.ToValidUTF8(text[:most-len(sign)], "") + sign
}
