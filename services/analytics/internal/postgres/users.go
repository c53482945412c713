package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// users are what a ranking of users orders. The number of an anonymous id that was identified stands for its user. Only such
// ids are joined, which are in an index of their own.
var users = dimension{
	name: "user", key: "coalesce(joined.person, r.user_n)", filter: "true",
	join: "LEFT JOIN ingest.users joined ON joined.project = @project AND joined.person IS NOT NULL AND joined.n = r.user_n",
}

// TopUsers returns a page of a ranking of users.
func (s *Store) TopUsers(ctx context.Context, p authn.Project, q report.Ranking) (top report.TopUsers, err error) {
	top.Meta, _, err = s.report(ctx, p, q.Range, "the top users", func(tx pgx.Tx, _ report.Calendar) error {
		args := argsOf(p, q)
		places, err := users.places(ctx, tx, users.ruleOf(q), args, q.After, q.Limit+1)
		if err != nil {
			return err
		}
		places, top.Next = page(places, q.Limit)
		top.Items, err = userItems(ctx, tx, places, args)
		return err
	})
	return top, err
}

// userItems adds counts and ids to places.
func userItems(ctx context.Context, tx pgx.Tx, places []report.Place, args pgx.NamedArgs) ([]report.TopUser, error) {
	if len(places) == 0 {
		return nil, nil
	}
	args["keys"] = keysOf(places)
	items := make(map[int64]*report.TopUser, len(places))
	numbers := make([]int64, 0, len(places)) // also those of their anonymous ids
	const query = `
		SELECT n, n, anonymous, id FROM ingest.users WHERE project = @project AND n = ANY(@keys)
		UNION ALL
		SELECT n, person, anonymous, id FROM ingest.users WHERE project = @project AND person = ANY(@keys)`
	rows, err := tx.Query(ctx, query, args)
	if err != nil {
		return nil, fmt.Errorf("ids: %w", err)
	}
	var n, person int64
	var item report.TopUser
	_, err = pgx.ForEachRow(rows, []any{&n, &person, &item.Anonymous, &item.ID}, func() error {
		numbers = append(numbers, n)
		if n == person {
			one := item
			items[n] = &one
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ids: %w", err)
	}
	args["numbers"] = numbers
	counts, err := users.counts(ctx, tx, "r.user_n = ANY(@numbers)", args)
	if err != nil {
		return nil, err
	}
	ranked := make([]report.TopUser, 0, len(places))
	for _, p := range places {
		item := items[p.Key]
		if item == nil { // removed by hand
			item = &report.TopUser{}
		}
		item.Place, item.Counts = p, counts[p.Key].Exactly(1)
		ranked = append(ranked, *item)
	}
	return ranked, nil
}
