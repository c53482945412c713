package apifuzz

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// maxNames bounds the names of each collection that a Pool keeps.
const maxNames = 200

// Pool knows what exists: the names by which later requests find what earlier ones have made. The zero value is empty. It is safe for
// concurrent use.
type Pool struct {
	mu    sync.Mutex
	names map[string][]string
}

// The collections that are not paths.
const (
	Invitations   = "invitation"    // tokens
	RefreshTokens = "refresh_token" // not used yet
	Emails        = "email"         // of accounts, whose password is one of Passwords
)

// Passwords are those of all accounts that requests of a Fuzzer make. A secret of a request has the Marker, so that an answer that
// repeats one is found.
var Passwords = []string{Marker + "-staple", Marker + "-battery"}

// Marker is a part of secrets.
const Marker = "fuzzed-secret"

// aliases are the collections in which the values of a path parameter are found, if that is not the path in front of it.
var aliases = map[string]string{
	"/analytics/products":              "/products",
	"/analytics/users":                 "/users",
	"/auth/projects/{project}/members": "/auth/users",
}

// Add adds a name to a collection, such as "/orders".
func (p *Pool) Add(collection, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.names == nil {
		p.names = map[string][]string{}
	}
	p.names[collection] = append(p.names[collection], name)
	if names := p.names[collection]; len(names) > maxNames {
		p.names[collection] = names[len(names)-maxNames:]
	}
}

// pick returns a name for a parameter of a path.
func (p *Pool) pick(random *rand.Rand, template, parameter string) (string, bool) {
	collection, _, _ := strings.Cut(template, "/{"+parameter+"}")
	if alias, ok := aliases[collection]; ok {
		collection = alias
	}
	return p.any(random, collection)
}

// take returns a name of a collection and removes it.
func (p *Pool) take(random *rand.Rand, collection string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := p.names[collection]
	if len(names) == 0 {
		return "", false
	}
	at := random.IntN(len(names))
	name := names[at]
	p.names[collection] = slices.Delete(names, at, at+1)
	return name, true
}

// pickPath replaces the parameters of a path that has two names by those of something that exists.
func (p *Pool) pickPath(random *rand.Rand, template string, params map[string]string) {
	path, ok := p.any(random, template)
	if !ok {
		return
	}
	parts := strings.Split(path, "/")
	for i, part := range strings.Split(template, "/") {
		if name, isParameter := strings.CutPrefix(part, "{"); isParameter {
			params[strings.TrimSuffix(name, "}")] = parts[i]
		}
	}
}

// any returns a name of a collection.
func (p *Pool) any(random *rand.Rand, collection string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := p.names[collection]
	if len(names) == 0 {
		return "", false
	}
	return names[random.IntN(len(names))], true
}

// invitationPath matches what has two names: an id is known in its project only.
var invitationPath = regexp.MustCompile(`^/auth/projects/[^/]+/invitations/[^/]+$`)

const invitationTemplate = "/auth/projects/{project}/invitations/{id}"

// Learn remembers what a request has made: an answer with a status below 300 names it in its Location or in its members.
func (p *Pool) Learn(r *Request, location string, body []byte) {
	switch cut := strings.LastIndexByte(location, '/'); {
	case invitationPath.MatchString(location):
		p.Add(invitationTemplate, location)
	case cut > 0:
		p.Add(location[:cut], location[cut+1:])
	}
	if strings.HasSuffix(r.path, "/export") { // the last line is the receipt
		lines := bytes.Split(bytes.TrimSpace(body), []byte("\n"))
		var last struct{ Receipt struct{ ID string } }
		if json.Unmarshal(lines[len(lines)-1], &last) == nil && last.Receipt.ID != "" {
			p.Add("/exports", last.Receipt.ID)
		}
	}
	if r.Method != "POST" && r.Method != "DELETE" {
		return
	}
	var made struct {
		ID      string `json:"id"`
		Number  string `json:"number"`
		Batch   string `json:"batch_id"`
		Email   string `json:"email"`
		Token   string `json:"token"`
		Refresh string `json:"refresh_token"`
	}
	_ = json.Unmarshal(body, &made) // what is no object has no names
	for collection, name := range map[string]string{
		r.path: made.ID, "/events/batches": made.Batch, Emails: made.Email, Invitations: made.Token, RefreshTokens: made.Refresh,
	} {
		if name != "" && location == "" || name != "" && collection != r.path {
			p.Add(collection, name)
		}
	}
	if made.Number != "" {
		p.Add(r.path, made.Number)
	}
}
