package postgres_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/project"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

// owner makes an account that is an owner of a project, with a session, and returns it as a caller there.
func (s tester) owner(email string, in project.Project) authn.Principal {
	s.t.Helper()
	a := s.account(email)
	session, err := s.StartSession(command(s.t), a, token.NewSecret(), life)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.PutMember(command(s.t), in.ID, a.ID, authn.Owner); err != nil {
		s.t.Fatal(err)
	}
	return authn.Principal{
		Subject: a.ID.String(), Owner: a.ID.String(), Role: authn.Owner, AccountRole: authn.User, Session: session.String(),
		Project: authn.Project{ID: in.ID, Slug: in.Slug},
	}
}

func (s tester) project(slug string) project.Project {
	s.t.Helper()
	p, err := s.CreateProject(command(s.t), slug, project.Defaults(slug))
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// TestTwoOwnersCannotBothLeave lets the two owners of a project end their memberships at the same moment.
func TestTwoOwnersCannotBothLeave(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	shop := s.project("shop")
	first, second := s.owner("ada@example.com", shop), s.owner("bob@example.com", shop)
	var firstErr, secondErr error
	s.inTurn(`SELECT FROM auth.projects FOR UPDATE`,
		func() { firstErr = s.For(first).RemoveMember(command(t), shop.ID, uuid.MustParse(first.Subject)) },
		func() { secondErr = s.For(second).RemoveMember(command(t), shop.ID, uuid.MustParse(second.Subject)) },
	)
	if firstErr != nil || errs.CodeOf(secondErr) != project.LastOwner {
		t.Errorf("first: %v; second: %v", firstErr, secondErr)
	}
}

// TestNothingOutlivesAMembership lets the end of an owner's membership meet what the owner does in the project, and come first.
func TestNothingOutlivesAMembership(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(s tester, caller authn.Principal, member uuid.UUID) error{
		"make a key": func(s tester, caller authn.Principal, _ uuid.UUID) error {
			s.Store = s.For(caller)
			_, err := s.tryKey(caller, adminKey)
			return err
		},
		"make a key with a key": func(s tester, caller authn.Principal, _ uuid.UUID) error {
			caller.Subject = ""
			if err := s.Pool.QueryRow(command(s.t), `SELECT id::text FROM auth.api_keys WHERE delegate`).Scan(&caller.KeyID); err != nil {
				s.t.Fatal(err)
			}
			_, err := s.tryKey(caller, readKey)
			return err
		},
		"invite": func(s tester, caller authn.Principal, _ uuid.UUID) error {
			maker := uuid.MustParse(caller.Subject)
			offer := postgres.Offer{Role: authn.User, Project: caller.Project.ID, Membership: authn.Owner}
			_, err := s.For(caller).CreateInvitation(command(s.t), token.NewInvitation(), offer, &maker, life)
			return err
		},
		"change a member": func(s tester, caller authn.Principal, member uuid.UUID) error {
			_, err := s.For(caller).PutMember(command(s.t), caller.Project.ID, member, authn.Analyst)
			return err
		},
		"change the project": func(s tester, caller authn.Principal, _ uuid.UUID) error {
			_, err := s.For(caller).ChangeProject(command(s.t), caller.Project.Slug, func(p project.Project) (project.Settings, error) {
				return p.Apply(project.Change{WeekStart: new(7)})
			})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tester{newStore(t), t}
			shop := s.project("shop")
			caller, member := s.owner("ada@example.com", shop), s.owner("bob@example.com", shop)
			s.makeKey(caller, delegatingKey)
			if err := act(s, caller, uuid.MustParse(member.Subject)); err != nil {
				t.Fatal(err)
			}
			var err error
			s.inTurn(lockUsers,
				func() {
					if _, err := s.PutMember(command(t), shop.ID, uuid.MustParse(caller.Subject), authn.Analyst); err != nil {
						t.Error(err)
					}
				},
				func() { err = act(s, caller, uuid.MustParse(member.Subject)) },
			)
			if !errs.Is(err, errs.Forbidden) {
				t.Errorf("%v, want forbidden", err)
			}
		})
	}
}

// The role that the command line gives an account decides about its membership of the default project.
func TestRolesOfTheCommandLine(t *testing.T) {
	t.Parallel()
	s := tester{newStore(t), t}
	for _, step := range []struct{ role, account, membership authn.Role }{
		{"", authn.Admin, authn.Owner}, // the first time
		{authn.Analyst, authn.User, authn.Analyst},
		{"", authn.User, authn.Analyst}, // as it was
		{authn.Viewer, authn.User, authn.Viewer},
		{authn.Owner, authn.User, authn.Owner},
		{authn.User, authn.User, ""},
		{authn.Admin, authn.Admin, authn.Owner},
	} {
		id := uuid.Must(uuid.NewV7())
		if err := s.PutAccount(command(t), account.Account{ID: id, Email: "ada@example.com", Role: step.role, PasswordHash: "x"}); err != nil {
			t.Fatal(err)
		}
		a, err := s.AccountByEmail(command(t), "ada@example.com")
		if err != nil {
			t.Fatal(err)
		}
		var membership authn.Role
		projects, err := s.Projects(command(t), a.ID, false, "", 10)
		if len(projects) == 1 {
			membership = projects[0].Role
		}
		if err != nil || a.Role != step.account || membership != step.membership {
			t.Errorf("with the role %q: %s, %q, %v", step.role, a.Role, membership, err)
		}
	}
}
