package recount

import (
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
)

// Groups compares the sketches of users of many keys. Before it is sealed, it remembers which rank each user gives to which
// register: a few bytes, while a sketch of a key can take 4 KiB.
type Groups struct {
	index   map[Key]int32
	keys    []Key
	marks   []mark
	compact int // how many marks there were after they were made compact

	// Sealed, the marks are sorted by their group. Those of group n are the ones from starts[n] to starts[n+1].
	starts []int32
	equal  []bool             // the first stored sketch is that of the group
	lanes  map[int32][][]byte // of other groups, and of those with more lanes
	broken map[int32]string   // why a stored sketch cannot be read
	stored int                // the bytes of lanes

	a, b sketch.Registers // of the recount and of what is stored
}

// mark is a rank in a register of a group: group << 32 | register << 8 | rank.
type mark uint64

func (m mark) group() int32 { return int32(m >> 32) }

func (m mark) position() (register uint16, rank uint8) { return uint16(m >> 8), uint8(m) }

// noMark is what nobody marks. The rank of a user is more than 0.
const noMark mark = 0

// userOf returns what a user marks in any group.
func userOf(user int64) mark {
	if user == nobody {
		return noMark
	}
	register, rank := sketch.Position(sketch.Hash(user))
	return mark(register)<<8 | mark(rank)
}

// enoughMarks is how many marks there are before repetitions are looked for.
const enoughMarks = 1 << 19

func newGroups() *Groups {
	return &Groups{index: map[Key]int32{}, lanes: map[int32][][]byte{}, broken: map[int32]string{}}
}

func (g *Groups) group(key Key) int32 {
	n, ok := g.index[key]
	if !ok {
		n = int32(len(g.keys))
		g.index[key] = n
		g.keys = append(g.keys, key)
	}
	return n
}

// add adds what a user marks.
func (g *Groups) add(key Key, user mark) {
	if user == noMark {
		return
	}
	g.marks = append(g.marks, mark(g.group(key))<<32|user)
	if len(g.marks) >= enoughMarks && len(g.marks) >= 2*g.compact {
		g.dedupe()
	}
}

// dedupe leaves at most one mark for each register.
func (g *Groups) dedupe() {
	g.sort()
	marks := g.marks
	g.marks = g.marks[:0]
	for len(marks) > 0 {
		group := marks[0].group()
		n := 0
		for ; n < len(marks) && marks[n].group() == group; n++ {
			g.a.Insert(marks[n].position())
		}
		if n < len(g.a) {
			g.marks = append(g.marks, marks[:n]...)
		} else {
			for register, rank := range g.a {
				if rank > 0 {
					g.marks = append(g.marks, mark(group)<<32|mark(register)<<8|mark(rank))
				}
			}
		}
		g.a = sketch.Registers{}
		marks = marks[n:]
	}
	g.compact = len(g.marks)
}

// sort sorts the marks by their groups, in linear time, and notes where each group starts.
func (g *Groups) sort() {
	g.starts = make([]int32, len(g.keys)+2)
	for _, m := range g.marks {
		g.starts[m.group()+2]++
	}
	for n := range g.keys {
		g.starts[n+2] += g.starts[n+1]
	}
	sorted := make([]mark, len(g.marks))
	for _, m := range g.marks {
		sorted[g.starts[m.group()+1]] = m
		g.starts[m.group()+1]++
	}
	g.marks = sorted
}

func (g *Groups) seal() {
	g.sort()
	g.equal = make([]bool, len(g.keys))
}

// Bytes returns about how much memory the groups take.
func (g *Groups) Bytes() int { return len(g.keys)*60 + len(g.marks)*16 + g.stored }

// AddStored adds the stored sketch of a lane.
func (g *Groups) AddStored(key Key, data []byte) {
	n := g.group(key)
	if int(n) < len(g.equal) && !g.equal[n] && len(g.lanes[n]) == 0 {
		g.recounted(n)
		g.b = sketch.Registers{}
		if err := g.b.Merge(data); err == nil && g.a == g.b {
			g.equal[n] = true
			return
		}
	}
	g.lanes[n] = append(g.lanes[n], slices.Clone(data))
	g.stored += len(data)
}

// recounted makes a the registers of a group.
func (g *Groups) recounted(n int32) {
	g.a = sketch.Registers{}
	if int(n) >= len(g.equal) {
		return // it has nothing but stored sketches
	}
	for _, m := range g.marks[g.starts[n]:g.starts[n+1]] {
		g.a.Insert(m.position())
	}
}

// Len returns how many keys either side has.
func (g *Groups) Len() int { return len(g.keys) }

// Unlike is a key whose stored sketch differs from its recount.
type Unlike struct {
	Key               Key
	Stored, Recounted int64 // about how many users
	Broken            error // why a stored sketch cannot be read
}

// Differences returns the keys whose sides differ, in order.
func (g *Groups) Differences() []Unlike {
	var wrong []Unlike
	for n, key := range g.keys {
		lanes := g.lanes[int32(n)]
		equal := n < len(g.equal) && g.equal[n]
		if equal && len(lanes) == 0 {
			continue
		}
		if unlike, ok := g.differs(int32(n), equal, lanes); ok {
			unlike.Key = key
			wrong = append(wrong, unlike)
		}
	}
	slices.SortFunc(wrong, func(a, b Unlike) int { return compareKeys(a.Key, b.Key) })
	return wrong
}

// differs compares a group with its lanes, and with the lane that was equal to the recount, if there was one.
func (g *Groups) differs(n int32, equal bool, lanes [][]byte) (Unlike, bool) {
	g.recounted(n)
	g.b = sketch.Registers{}
	if equal {
		g.b = g.a
	}
	for _, lane := range lanes {
		if err := g.b.Merge(lane); err != nil {
			return Unlike{Broken: err}, true
		}
	}
	if g.a == g.b {
		return Unlike{}, false
	}
	return Unlike{Stored: g.b.Estimate(), Recounted: g.a.Estimate()}, true
}
