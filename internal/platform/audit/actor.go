package audit

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/user"
	"strconv"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// Actor is who does something.
type Actor struct{ kind, id string }

// maxActor bounds the bytes of an actor's id.
const maxActor = 200

// User is an account, for operations whose caller is not authenticated, such as a registration.
func User(id string) Actor { return Actor{kind: "user", id: id} }

// Service is a service that works without a caller, such as on a job.
func Service(name string) Actor { return Actor{kind: "service", id: name} }

type commandKey struct{}

// WithCommand returns a context in which the user of the operating system who runs this process does what no caller of a request
// does. Commands use it; servers do not.
func WithCommand(ctx context.Context) context.Context {
	return context.WithValue(ctx, commandKey{}, osUser())
}

// CommandOr returns who runs the command of a context, or else a service: for work that both do.
func CommandOr(ctx context.Context, service string) Actor {
	if name, ok := ctx.Value(commandKey{}).(string); ok {
		return Actor{kind: "command", id: name}
	}
	return Service(service)
}

// osUser returns the name of the user who runs this process, or the number, if the system has no name for it.
func osUser() string {
	if u, err := user.Current(); err == nil {
		return cmp.Or(u.Username, u.Uid)
	}
	return "uid " + strconv.Itoa(os.Getuid())
}

var errNoActor = errors.New("nobody is known to be doing it: the context has neither a caller nor a command")

// actor returns who does what an entry says.
func (e Entry) actor(ctx context.Context) (Actor, error) {
	if e.Actor != (Actor{}) {
		return e.Actor, nil
	}
	if caller, err := authn.Require(ctx); err == nil {
		if caller.IsUser() {
			return User(caller.Subject), nil
		}
		return Actor{kind: "key", id: caller.KeyID}, nil
	}
	if name, ok := ctx.Value(commandKey{}).(string); ok {
		return Actor{kind: "command", id: name}, nil
	}
	return Actor{}, errNoActor
}
