package authn

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// staff is a ProjectStore with one project, in which a user has a role, or none.
type staff struct {
	role    Role
	lookUps int
}

func (s *staff) Named(context.Context, string, string) (Membership, error) {
	s.lookUps++
	return Membership{Project: Project{ID: 2, Slug: "shop"}, Role: s.role}, nil
}

func (s *staff) Memberships(context.Context, string, int) ([]Membership, error) {
	return nil, errs.New(errs.Internal, "unused", "Nobody asks.")
}

// TestMembershipsThatEndStopWorking ends a membership that is cached, and begins one that was refused.
func TestMembershipsThatEndStopWorking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &staff{role: Viewer}
		v := &Verifier{places: newPlaceCache(store)}
		defer v.places.stop()
		enter := func() Role {
			p, err := v.Enter(t.Context(), Principal{Subject: "u", Role: User, AccountRole: User}, "shop")
			if err != nil && errs.CodeOf(err) != "project_forbidden" {
				t.Fatal(err)
			}
			return p.Role
		}
		for range 100 {
			if enter() != Viewer {
				t.Fatal("the member may not act")
			}
		}
		if store.lookUps != 1 {
			t.Errorf("%d look-ups for 100 requests", store.lookUps)
		}
		store.role = ""
		<-time.After(placeTTL)
		if enter() != "" {
			t.Errorf("a membership works %s after it ended", placeTTL)
		}
		store.role = Analyst
		if enter() != Analyst {
			t.Error("a new membership does not work at once")
		}
	})
}
