package decode

import "hash/maphash"

const (
	// maxName is the longest text that names remembers. Texts that repeat are short.
	maxName = 64
	// firstChunk and lastChunk are the sizes of the first and of later allocations of an arena.
	firstChunk = 1 << 10
	lastChunk  = 32 << 10
)

// names turns bytes of a document into strings and remembers the latest ones, because the events of a batch mostly name the
// same users, products and types. A remembered text costs no allocation. The strings are copies and do not keep the document
// in memory.
type names struct {
	seed  maphash.Seed
	made  bool
	table [128][4]string
	size  int // bytes of all strings it has made
}

func (n *names) string(text []byte) string {
	if n == nil {
		return string(text)
	}
	if len(text) > maxName {
		n.size += len(text)
		return string(text)
	}
	if !n.made {
		n.seed, n.made = maphash.MakeSeed(), true
	}
	set := &n.table[maphash.Bytes(n.seed, text)%uint64(len(n.table))]
	for _, name := range set {
		if name == string(text) {
			return name
		}
	}
	copy(set[1:], set[:]) // drops the oldest of the set
	n.size += len(text)
	set[0] = string(text)
	return set[0]
}

// arena keeps copies of many pieces of bytes in few allocations.
type arena struct {
	free []byte // the unused rest of the last chunk
	next int    // size of the next chunk
	size int    // of all chunks
}

// keep returns a copy of raw, nil for nil.
func (a *arena) keep(raw []byte) []byte {
	if raw == nil {
		return nil
	}
	if len(raw) > len(a.free) {
		a.next = min(max(2*a.next, firstChunk), lastChunk)
		chunk := max(a.next, len(raw))
		a.free, a.size = make([]byte, chunk), a.size+chunk
	}
	kept := a.free[:len(raw):len(raw)]
	a.free = a.free[copy(kept, raw):]
	return kept
}
