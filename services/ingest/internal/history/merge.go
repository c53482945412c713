package history

import "slices"

// Merge returns the first items of several pages of one list, at most limit. Each page is complete up to its Next, so an item after
// any Next may have others before it, and waits for the next page.
func Merge(limit int, pages ...Page) Page {
	var merged Page
	for _, p := range pages {
		merged.Items = append(merged.Items, p.Items...)
		if p.Next != nil && (merged.Next == nil || p.Next.Compare(*merged.Next) < 0) {
			merged.Next = p.Next
		}
	}
	slices.SortFunc(merged.Items, func(a, b Item) int { return a.Position.Compare(b.Position) })
	if next := merged.Next; next != nil {
		merged.Items = slices.DeleteFunc(merged.Items, func(i Item) bool { return i.Position.Compare(*next) > 0 })
	}
	if len(merged.Items) > limit {
		merged.Items = merged.Items[:limit]
		last := merged.Items[limit-1].Position
		merged.Next = &last
	}
	return merged
}
