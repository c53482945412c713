package reconcile

// Within returns options with which the recount of a span may take some bytes.
func (o Options) Within(bytes int) Options {
	o.bytes = bytes
	return o
}
