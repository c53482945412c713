package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/dictionary"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

var _ dictionary.Source = (*Store)(nil)

// numberUsers returns the users with some keys, and inserts the unknown ones. Those that another transaction inserts meanwhile
// are not in the answer. Rows are inserted in the order of their keys, so two of these statements cannot deadlock.
const numberUsers = `
	WITH sent AS MATERIALIZED (
		SELECT s.project, s.anonymous, s.id, u.n, u.person
		FROM unnest($1::smallint[], $2::boolean[], $3::text[]) AS s (project, anonymous, id)
		LEFT JOIN LATERAL (
			SELECT n, person
			FROM ingest.users AS u
			WHERE u.project = s.project AND u.anonymous = s.anonymous AND u.id = s.id
			LIMIT 1
		) AS u ON true
	), added AS (
		INSERT INTO ingest.users (project, anonymous, id)
		SELECT project, anonymous, id FROM sent WHERE n IS NULL
		ON CONFLICT (project, anonymous, id) DO NOTHING
		RETURNING project, anonymous, id, n
	)
	SELECT known.*, coalesce((SELECT epoch FROM ingest.erasure_epochs AS e WHERE e.project = known.project), 0)
	FROM (
		SELECT project, anonymous, id, n, coalesce(person, 0) FROM sent WHERE n IS NOT NULL
		UNION ALL
		SELECT project, anonymous, id, n, 0 FROM added
	) AS known`

// maxNumberings bounds the statements that number the same keys. The second one finds what others have inserted meanwhile.
const maxNumberings = 4

// errUnnumbered is the answer after maxNumberings.
var errUnnumbered = errs.New(errs.Unavailable, "overloaded", "Other requests are naming the same new users or events. Try again shortly.")

// NumberUsers implements dictionary.Source. The rows are committed when it returns.
func (s *Store) NumberUsers(ctx context.Context, keys []dictionary.Key) (map[dictionary.Key]dictionary.Entry, error) {
	open := sortedSet(keys, func(a, b dictionary.Key) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), compareBools(a.Anonymous, b.Anonymous), cmp.Compare(a.ID, b.ID))
	})
	found := make(map[dictionary.Key]dictionary.Entry, len(open))
	for range maxNumberings {
		projects, kinds, ids := make([]int16, len(open)), make([]bool, len(open)), make([]string, len(open))
		for i, key := range open {
			projects[i], kinds[i], ids[i] = key.Project, key.Anonymous, key.ID
		}
		var key dictionary.Key
		var entry dictionary.Entry
		err := repeatedPairs(ctx, s, found, []any{&key.Project, &key.Anonymous, &key.ID, &entry.N, &entry.Person, &entry.Epoch},
			func() (dictionary.Key, dictionary.Entry) { return key, entry }, numberUsers, projects, kinds, ids)
		if err != nil {
			return nil, postgres.Classify(fmt.Errorf("number %d users: %w", len(open), err))
		}
		open = slices.DeleteFunc(open, func(key dictionary.Key) bool { return found[key].N != 0 })
		if len(open) == 0 {
			return found, nil
		}
	}
	return nil, errUnnumbered
}

// joinUsers gives anonymous users a person. Rows are locked in the order of their numbers, as flushes do when they lower
// first_seen. A row that has a person already is only read. The lock on a person makes an erasure of it wait, which removes the
// anonymous user, too; a person that is erased already gets none.
const joinUsers = `
	WITH sent AS MATERIALIZED (
		SELECT s.project, s.n, s.person, u.person AS before
		FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS s (project, n, person)
		CROSS JOIN LATERAL (SELECT person FROM ingest.users AS u WHERE u.project = s.project AND u.n = s.n LIMIT 1) AS u
	), there AS MATERIALIZED (
		SELECT p.project, p.n
		FROM ingest.users AS p
		WHERE (p.project, p.n) IN (SELECT project, person FROM sent WHERE before IS NULL)
		ORDER BY p.project, p.n
		FOR KEY SHARE OF p
	), locked AS MATERIALIZED (
		SELECT a.project, a.n
		FROM ingest.users AS a
		WHERE (a.project, a.n) IN (SELECT s.project, s.n FROM sent AS s JOIN there AS t ON t.project = s.project AND t.n = s.person WHERE s.before IS NULL)
		ORDER BY a.project, a.n
		FOR NO KEY UPDATE OF a
	), joined AS (
		UPDATE ingest.users AS u
		SET person = sent.person, joined_at = now()
		FROM sent JOIN locked USING (project, n)
		WHERE u.project = sent.project AND u.n = sent.n AND sent.before IS NULL AND u.person IS NULL AND u.anonymous
		RETURNING u.project, u.n, u.person
	)
	SELECT project, n, person FROM joined
	UNION ALL
	SELECT project, n, before FROM sent WHERE before IS NOT NULL`

// JoinUsers implements dictionary.Source.
func (s *Store) JoinUsers(ctx context.Context, joins []dictionary.Join) (map[dictionary.Join]int64, error) {
	type key struct {
		project int16
		n       int64
	}
	open := sortedSet(joins, func(a, b dictionary.Join) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Anonymous, b.Anonymous), cmp.Compare(a.Person, b.Person))
	})
	// Of several persons for one anonymous id one wins.
	first := slices.CompactFunc(slices.Clone(open), func(a, b dictionary.Join) bool {
		return a.Project == b.Project && a.Anonymous == b.Anonymous
	})
	persons := make(map[key]int64, len(first))
	for range maxNumberings {
		projects, users, wanted := make([]int16, len(first)), make([]int64, len(first)), make([]int64, len(first))
		for i, j := range first {
			projects[i], users[i], wanted[i] = j.Project, j.Anonymous, j.Person
		}
		var k key
		var person int64
		err := repeatedPairs(ctx, s, persons, []any{&k.project, &k.n, &person},
			func() (key, int64) { return k, person }, joinUsers, projects, users, wanted)
		if err != nil {
			return nil, postgres.Classify(fmt.Errorf("join %d anonymous users: %w", len(first), err))
		}
		first = slices.DeleteFunc(first, func(j dictionary.Join) bool { return persons[key{j.Project, j.Anonymous}] != 0 })
		if len(first) == 0 {
			break
		}
	}
	joined := make(map[dictionary.Join]int64, len(open))
	for _, j := range open {
		joined[j] = persons[key{j.Project, j.Anonymous}]
	}
	return joined, nil
}

// numberNames returns the names with some texts, and inserts the unknown ones with the next numbers of their project. $4 is 0, or
// the number that a name has in all projects. A name gets -1 if its sender has added $7 names already, and 0 if the project has its last
// number, $6. Two statements that insert into a project at the same time choose the same numbers: the second one waits for the first and
// inserts nothing, and its names stay open.
const numberNames = `
	WITH sent AS MATERIALIZED (
		SELECT s.project, s.name, s.sender, s.fixed, known.n
		FROM unnest($1::smallint[], $2::text[], $3::text[], $4::smallint[]) AS s (project, name, sender, fixed)
		LEFT JOIN LATERAL (
			SELECT n FROM ingest.names AS k WHERE k.project = s.project AND k.name = s.name LIMIT 1
		) AS known ON true
	), made AS MATERIALIZED (
		SELECT project, sender, (SELECT count(*) FROM ingest.names AS k WHERE k.project = senders.project AND k.sender = senders.sender AND k.n >= $5) AS names
		FROM (SELECT DISTINCT project, sender FROM sent WHERE n IS NULL AND fixed = 0) AS senders
	), unknown AS (
		SELECT project, name, sender, fixed,
			fixed > 0 OR made.names + row_number() OVER (PARTITION BY project, sender, fixed > 0 ORDER BY name COLLATE "C") <= $7 AS allowed
		FROM sent LEFT JOIN made USING (project, sender)
		WHERE n IS NULL
	), numbered AS (
		SELECT project, name, sender, CASE WHEN NOT allowed THEN -1 WHEN fixed > 0 THEN fixed ELSE
			greatest($5 - 1, coalesce((SELECT max(k.n) FROM ingest.names AS k WHERE k.project = unknown.project), 0))
			+ row_number() OVER (PARTITION BY project, fixed > 0, allowed ORDER BY name COLLATE "C")
		END AS n
		FROM unknown
	), added AS (
		INSERT INTO ingest.names (project, n, name, sender)
		SELECT project, n, name, sender FROM numbered WHERE n BETWEEN 1 AND $6 ORDER BY project, n
		ON CONFLICT DO NOTHING
		RETURNING project, name, n
	)
	SELECT project, name, n FROM sent WHERE n IS NOT NULL
	UNION ALL
	SELECT project, name, n FROM added
	UNION ALL
	SELECT project, name, CASE WHEN n < 0 THEN -1 ELSE 0 END FROM numbered WHERE n NOT BETWEEN 1 AND $6`

// lastName is the number of the last name that a project can have.
const lastName = stats.FirstName + event.MaxNames - 1

// NumberNames implements dictionary.Source. The rows are committed when it returns.
func (s *Store) NumberNames(ctx context.Context, names []dictionary.Name) (map[dictionary.Name]int16, error) {
	open := sortedSet(names, func(a, b dictionary.Name) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Sender, b.Sender))
	})
	found := make(map[dictionary.Name]int16, len(open))
	for range maxNumberings {
		// Of several senders of a name one adds it.
		asked := slices.CompactFunc(slices.Clone(open), func(a, b dictionary.Name) bool { return a.NameRef == b.NameRef })
		numbers, err := s.numberNames(ctx, asked)
		if err != nil {
			return nil, postgres.Classify(fmt.Errorf("number %d names: %w", len(asked), err))
		}
		ask := make(map[dictionary.Name]struct{}, len(asked))
		for _, name := range asked {
			ask[name] = struct{}{}
		}
		open = slices.DeleteFunc(open, func(name dictionary.Name) bool {
			n, settled := numbers[name.NameRef]
			if _, own := ask[name]; !settled || n == event.SenderFull && !own {
				return false
			}
			found[name] = n
			return true
		})
		if len(open) == 0 {
			return found, nil
		}
	}
	return nil, errUnnumbered
}

// numberNames runs the statement for names that are different, whoever sends them.
func (s *Store) numberNames(ctx context.Context, names []dictionary.Name) (map[event.NameRef]int16, error) {
	projects, texts, senders, fixed := make([]int16, len(names)), make([]string, len(names)), make([]string, len(names)), make([]int16, len(names))
	for i, name := range names {
		projects[i], texts[i], senders[i] = name.Project, name.Name, name.Sender
		fixed[i], _ = stats.NameOf(name.Name)
	}
	numbers := make(map[event.NameRef]int16, len(names))
	var name event.NameRef
	var n int16
	return numbers, repeatedPairs(ctx, s, numbers, []any{&name.Project, &name.Name, &n},
		func() (event.NameRef, int16) { return name, n }, numberNames, projects, texts, senders, fixed, stats.FirstName, lastName, event.MaxNamesOfSender)
}

// sortedSet returns the different ones of keys in order.
func sortedSet[K comparable](keys []K, compare func(a, b K) int) []K {
	sorted := slices.Clone(keys)
	slices.SortFunc(sorted, compare)
	return slices.Compact(sorted)
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
