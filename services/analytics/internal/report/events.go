package report

// EventNames is a page of the names of events, most frequent first.
type EventNames struct {
	Items []EventName
	Next  *Place // the last of Items, if more may follow
	Meta  Meta
}

// EventName is a name with its events.
type EventName struct {
	Place Place // the value is the number of events
	Name  string
	Users Users
}

// EventSeries are the events of a name over time, in the counter Events.
type EventSeries struct {
	Series

	Name string
	Meta Meta
}

// TopUsers is a page of a ranking of users, highest first.
type TopUsers struct {
	Items []TopUser
	Next  *Place // the last of Items, if more may follow
	Meta  Meta
}

// TopUser is one place in a ranking of users.
type TopUser struct {
	Place     Place
	ID        string
	Anonymous bool // ID is an anonymous id
	Counts    Counts
}
