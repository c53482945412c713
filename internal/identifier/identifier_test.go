package identifier

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestTextsOfTheField(t *testing.T) {
	for given, want := range map[string]string{
		"BANK CHARGES": "BANK CHARGES", "A#12": "A#12", `9/16" nut`: `9/16" nut`, "größe-42": "größe-42", "商品-1": "商品-1",
		"ü-😀": "ü-😀", "张伟": "张伟", "a b": "a b", "  trimmed ": "trimmed", "\u00a0x\u3000": "x",
		"cafe\u0301": "café", "👩\u200d👧": "👩\u200d👧", strings.Repeat("ü", 100): strings.Repeat("ü", 100), "=cmd()": "=cmd()", "me": "me",
	} {
		if got, err := Text(given); err != nil || got != want {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
	for given, want := range map[string]error{
		"": ErrEmpty, "  ": ErrEmpty, "a\nb": ErrUnprintable, "a\x00b": ErrUnprintable, "a\tb": ErrUnprintable, "\x7f": ErrUnprintable,
		"\xff": ErrNotUTF8, "a\u202eb": ErrUnprintable, "\ufeffa": ErrUnprintable, "a\u2028b": ErrUnprintable, "half \ufffd": ErrNotUTF8,
		strings.Repeat("ü", 101): ErrTooLong, ".": ErrDots, "..": ErrDots, " .. ": ErrDots,
	} {
		if got, err := Text(given); !errors.Is(err, want) {
			t.Errorf("%q: %q, %v, want %v", given, got, err, want)
		}
	}
}

func TestNamesAreLimitedInCharacters(t *testing.T) {
	if _, err := Name(strings.Repeat("商", MaxChars)); err != nil {
		t.Error(err)
	}
	if _, err := Name(strings.Repeat("a", MaxChars+1)); !errors.Is(err, ErrTooManyChar) {
		t.Error(err)
	}
}

func TestIDs(t *testing.T) {
	const given = "018f2f6e-7c00-7000-8000-000000000001"
	id := func(project int16, own, text string) uuid.UUID {
		got, err := ID(project, own, text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return got
	}
	if got := id(1, "", given); got.String() != given {
		t.Errorf("a UUID is %s", got)
	}
	if got := id(1, "", strings.ToUpper(given)); got.String() != given {
		t.Errorf("a UUID in capitals is %s", got)
	}
	seen := map[uuid.UUID]string{}
	for _, other := range []struct {
		project   int16
		own, text string
	}{
		{1, "", given}, {1, "guest", given}, {1, "guest 2", given}, {1, "", "ajs-next-1732600000000-6f1c"}, {2, "", "ajs-next-1732600000000-6f1c"},
		{1, "", "01ARZ3NDEKTSV4RRFFQ69G5FAV"}, {1, "", "{" + given + "}"}, {1, "", "urn:uuid:" + given}, {11, "", "x"}, {1, "1", "x"}, {1, "", "1\nx"},
	} {
		got := id(other.project, other.own, other.text)
		if before, again := seen[got]; again {
			t.Errorf("%+v has the id of %s", other, before)
		}
		seen[got] = other.text
		if got != id(other.project, other.own, other.text) {
			t.Errorf("%+v has two ids", other)
		}
	}
	if _, err := ID(1, "", ""); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
	if _, err := ID(1, "", strings.Repeat("x", MaxChars+1)); !errors.Is(err, ErrTooManyChar) {
		t.Error(err)
	}
	for _, text := range []string{"a\x00b", "a\ufffd", "a\xff"} {
		if id, err := ID(1, "", text); !errors.Is(err, ErrUnstorable) {
			t.Errorf("%q has the id %s, %v", text, id, err)
		}
	}
}
