package githubtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"unicode/utf8"
)

func (s *Server) listDeployments(r *http.Request, _ []byte) (int, any) {
	list := page{}
	for _, d := range slices.Backward(s.deployments) {
		if d.Environment == r.URL.Query().Get("environment") {
			list = append(list, d)
		}
	}
	return http.StatusOK, list
}

func (s *Server) newDeployment(_ *http.Request, body []byte) (int, any) {
	var asked struct {
		Deployment
		AutoMerge        *bool     `json:"auto_merge"`
		RequiredContexts *[]string `json:"required_contexts"`
		Production       *bool     `json:"production_environment"`
	}
	if err := json.Unmarshal(body, &asked); err != nil || asked.Ref == "" || asked.Environment == "" {
		return invalid("ref and environment are needed")
	}
	if asked.AutoMerge == nil || *asked.AutoMerge {
		return http.StatusAccepted, map[string]string{"message": "Auto-merged main into " + asked.Ref}
	}
	if asked.RequiredContexts == nil || len(*asked.RequiredContexts) > 0 {
		return http.StatusConflict, map[string]string{"message": "Conflict: Commit status checks failed for " + asked.Ref}
	}
	made := asked.Deployment
	made.ID, made.Production = s.id(), made.Environment == "production"
	if asked.Production != nil {
		made.Production = *asked.Production
	}
	s.deployments = append(s.deployments, &made)
	return http.StatusCreated, &made
}

func (s *Server) deployment(r *http.Request) *Deployment {
	for _, d := range s.deployments {
		if d.ID == int64(atoi(r.PathValue("id"), 0)) {
			return d
		}
	}
	return nil
}

func (s *Server) listStatuses(r *http.Request, _ []byte) (int, any) {
	d := s.deployment(r)
	if d == nil {
		return missing()
	}
	list := page{}
	for _, status := range slices.Backward(d.Statuses) {
		list = append(list, status)
	}
	return http.StatusOK, list
}

var states = []string{"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}

func (s *Server) newStatus(r *http.Request, body []byte) (int, any) {
	d := s.deployment(r)
	if d == nil {
		return missing()
	}
	var status Status
	if err := json.Unmarshal(body, &status); err != nil || !slices.Contains(states, status.State) {
		return invalid("state is not one")
	}
	if utf8.RuneCountInString(status.Description) > 140 {
		return invalid("description is too long (maximum is 140 characters)")
	}
	d.Statuses = append(d.Statuses, status)
	if status.State == "success" {
		s.replaced(d)
	}
	return http.StatusCreated, status
}

// replaced does what auto_inactive, which is on unless it is turned off, does to
// the deployments before one.
func (s *Server) replaced(by *Deployment) {
	for _, d := range s.deployments {
		if d.Environment == by.Environment && d.ID < by.ID && !d.Transient && !d.Production && d.State() == "success" {
			d.Statuses = append(d.Statuses, Status{State: "inactive"})
		}
	}
}

func (s *Server) listComments(r *http.Request, _ []byte) (int, any) {
	list := page{}
	for _, c := range s.comments {
		if c.Issue == atoi(r.PathValue("number"), 0) {
			list = append(list, c)
		}
	}
	return http.StatusOK, list
}

// body is that of a comment, where it is one.
func body(text []byte) (string, bool) {
	var asked struct {
		Body string `json:"body"`
	}
	err := json.Unmarshal(text, &asked)
	return asked.Body, err == nil && asked.Body != "" && utf8.RuneCountInString(asked.Body) <= 65536
}

const badBody = "Body is too long (maximum is 65536 characters)"

func (s *Server) newComment(r *http.Request, text []byte) (int, any) {
	said, ok := body(text)
	if !ok {
		return invalid(badBody)
	}
	c := &Comment{ID: s.id(), Issue: atoi(r.PathValue("number"), 0), Body: said, User: User{Login}}
	s.comments = append(s.comments, c)
	return http.StatusCreated, c
}

func (s *Server) comment(r *http.Request) int {
	return slices.IndexFunc(s.comments, func(c *Comment) bool { return c.ID == int64(atoi(r.PathValue("id"), 0)) })
}

func (s *Server) editComment(r *http.Request, text []byte) (int, any) {
	i := s.comment(r)
	if i < 0 {
		return missing()
	}
	said, ok := body(text)
	if !ok {
		return invalid(badBody)
	}
	s.comments[i].Body = said
	return http.StatusOK, s.comments[i]
}

func (s *Server) removeComment(r *http.Request, _ []byte) (int, any) {
	i := s.comment(r)
	if i < 0 {
		return missing()
	}
	s.comments = slices.Delete(s.comments, i, i+1)
	return http.StatusNoContent, nil
}
