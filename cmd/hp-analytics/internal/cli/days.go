package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// dayRange holds the flags --from and --to of a command.
type dayRange struct{ from, to string }

// define adds the flags. The texts say which days are meant without them.
func (r *dayRange) define(cmd *cobra.Command, withoutFrom, withoutTo string) {
	cmd.Flags().StringVar(&r.from, "from", "", "first day (YYYY-MM-DD, in the time zone of each project"+withoutFrom+")")
	cmd.Flags().StringVar(&r.to, "to", "", "last day, included"+withoutTo)
}

// parse returns the days, nil for a flag that is not given. The last day is not before the first one.
func (r *dayRange) parse() (from, to *time.Time, err error) {
	from, fromErr := parseDay("--from", r.from)
	to, toErr := parseDay("--to", r.to)
	if from != nil && to != nil && to.Before(*from) {
		toErr = errors.New("--to: must not be before --from")
	}
	return from, to, errors.Join(fromErr, toErr)
}

func parseDay(flag, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // the flag is not given
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return nil, fmt.Errorf("%s: must be a day like 2026-03-14, not %q", flag, text)
	}
	return &day, nil
}

// defineProject adds the flag --project.
func defineProject(cmd *cobra.Command, slug *string) {
	cmd.Flags().StringVar(slug, "project", "", "slug of a project (default: all of them)")
}
