package spec

import "github.com/zclconf/go-cty/cty"

// githubFields are the fields of the github object, and whether someone who
// opens a pull request can write them. A branch name is such a text.
var githubFields = map[string]bool{
	"actor": true, "body": true, "commit_message": true, "head_ref": true, "ref": true, "ref_name": true,
	"title": true, "triggering_actor": true, "label": true, "head_repository": true,

	"action": false, "api_url": false, "base_ref": false, "event_name": false, "graphql_url": false, "job": false,
	"pull_request": false, "ref_type": false, "repository": false, "repository_id": false,
	"repository_owner": false, "run_attempt": false, "run_id": false, "run_number": false, "server_url": false,
	"sha": false, "workflow": false, "workflow_ref": false, "workspace": false, "actor_id": false,
}

// github is the github object. A known field that the world did not give is
// empty; one that we do not know is not trusted.
func github(given map[string]string) map[string]cty.Value {
	fields := make(map[string]cty.Value, len(githubFields))
	for name, writable := range githubFields {
		fields[name] = githubField(given[name], writable)
	}
	for name, text := range given {
		if _, known := githubFields[name]; !known {
			fields[name] = githubField(text, true)
		}
	}
	return fields
}

func githubField(text string, writable bool) cty.Value {
	field := cty.StringVal(text).Mark(outside)
	if writable {
		return field.Mark(untrusted)
	}
	return field
}
