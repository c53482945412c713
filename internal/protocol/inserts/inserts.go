// Package inserts has the statements by which ingest stores events and orders, for tests of the services that read these. Services do not
// import each other, so a test of ingest compares the files of this package with what ingest executes (TestInsertsAreShared), and writes
// them with -update.
package inserts

import _ "embed"

var (
	// NewEvents stores the events of one project, or fails with a unique violation if one of them is stored.
	//
	//go:embed new_events.sql
	NewEvents string
	// CheckedEvents stores those of some events that are new.
	//
	//go:embed checked_events.sql
	CheckedEvents string
	// Orders stores those of some orders that are new.
	//
	//go:embed orders.sql
	Orders string
)
