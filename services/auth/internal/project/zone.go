package project

import "time"

// ZoneChange is the change of the time zone by whose days the numbers of a project are counted. The aggregator makes it in steps,
// from today back. Another change supersedes it: what counts is the zone that was asked for last, and the days are counted again
// only once.
type ZoneChange struct {
	From, To string // IANA names
	State    ZoneState
	// DaysDone of DaysTotal are counted by the new zone. DaysKept have numbers and keep a former zone, because raw events of them are
	// gone. All are as of the last step.
	DaysDone, DaysTotal, DaysKept int
	// Since is the instant from which on the new zone counts; nil before the first step, and when it counts all that there is.
	Since *time.Time
	// Failure is why the last step failed, for operators; it is tried again.
	Failure               string
	StartedAt, FinishedAt *time.Time
}

// ZoneState says how far a change of a time zone is.
type ZoneState string

// The states of a change.
const (
	ZoneWaiting ZoneState = "waiting" // for its first step
	ZoneRunning ZoneState = "running"
	ZoneFailing ZoneState = "failing" // the last step failed and is tried again
	ZoneDone    ZoneState = "done"
)
