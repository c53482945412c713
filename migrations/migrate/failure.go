package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// execute runs all statements of sql and returns how many were done before the error.
func execute(ctx context.Context, conn *pgconn.PgConn, sql string) (done int, err error) {
	results := conn.Exec(ctx, sql)
	for results.NextResult() {
		if _, err := results.ResultReader().Close(); err == nil {
			done++
		}
	}
	return done, results.Close()
}

// failure describes an error of a migration: the reason, where it is, and that nothing was changed.
func (d *driver) failure(from int, sql string, done int, err error) error {
	where := ""
	refusal, refused := errors.AsType[*pgconn.PgError](err)
	if refused && refusal.Detail != "" {
		where = ": " + refusal.Detail
	}
	s, found := statementAt(sql, done, refusal)
	where += fmt.Sprintf("; %s, statement %d", d.file(from), s.number)
	if found {
		where += fmt.Sprintf(" on line %d: %s", s.line, s.excerpt())
	}
	stays := "without any migration"
	if from != none {
		stays = fmt.Sprintf("at version %d", from)
	}
	return fmt.Errorf("%w%s; the migration was rolled back: nothing was changed, the schema stays %s", err, where, stays)
}

// file returns the name of the file of the migration in progress.
func (d *driver) file(from int) string {
	number, direction := d.target, "up"
	if d.target < from {
		number, direction = from, "down"
	}
	names, err := fs.Glob(d.files, fmt.Sprintf("%06d_*.%s.sql", number, direction))
	if err != nil || len(names) == 0 {
		return fmt.Sprintf("migration %d", number)
	}
	return "migration " + names[0]
}

// statement is one statement of a file.
type statement struct {
	number, line int // from 1
	offset       int // of its first character, from 0
	text         string
}

// excerpt returns the first line of the statement.
func (s statement) excerpt() string {
	first, _, more := strings.Cut(s.text, "\n")
	const limit = 120
	if len(first) > limit {
		first, more = strings.ToValidUTF8(first[:limit], ""), true
	}
	if more {
		first += " …"
	}
	return first
}

// statementAt returns the statement of an error: the one at the position that Postgres gives, or else the one after those that
// were done.
func statementAt(sql string, done int, refusal *pgconn.PgError) (statement, bool) {
	all := statements(sql)
	if refusal != nil && refusal.Position > 0 {
		before := len(string([]rune(sql)[:min(int(refusal.Position)-1, len([]rune(sql)))]))
		for i, s := range all {
			if before < s.offset+len(s.text) || i == len(all)-1 {
				return s, true
			}
		}
	}
	if done < len(all) {
		return all[done], true
	}
	return statement{number: done + 1}, false
}

// token matches what may contain a semicolon that ends no statement (comments, strings, quoted names, dollar quotes), and the
// semicolon that does. Only messages depend on it: Postgres itself splits the file.
var token = regexp.MustCompile(`--[^\n]*|/\*(?s:.*?)\*/|'[^']*'|"[^"]*"|\$[A-Za-z_]*\$|;|\S`)

// statements splits a file.
func statements(sql string) (all []statement) {
	start := -1
	end := func(at int) {
		if start >= 0 {
			all = append(all, statement{
				number: len(all) + 1, line: 1 + strings.Count(sql[:start], "\n"), offset: start, text: strings.TrimSpace(sql[start:at]),
			})
		}
		start = -1
	}
	for at := 0; at < len(sql); {
		found := token.FindStringIndex(sql[at:])
		if found == nil {
			break
		}
		from, to := at+found[0], at+found[1]
		switch text := sql[from:to]; {
		case strings.HasPrefix(text, "--"), strings.HasPrefix(text, "/*"):
		case text == ";":
			end(from)
		default:
			if start < 0 {
				start = from
			}
			if quote := strings.Index(sql[to:], text); text[0] == '$' && len(text) > 1 && quote >= 0 {
				to += quote + len(text)
			}
		}
		at = to
	}
	end(len(sql))
	return all
}
