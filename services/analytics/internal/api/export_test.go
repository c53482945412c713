package api

// Forget lets the next request read the zones of its project anew.
func (z *Zones) Forget() { z.recent.InvalidateAll() }
