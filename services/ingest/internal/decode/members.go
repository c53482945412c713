package decode

// Object calls member with each member of a JSON object, in order. A value is valid JSON and belongs to data; a name is valid until member
// returns. It returns the first error of member, or where data stops being an object.
func Object(data []byte, member func(name, value []byte) error) error {
	s := scanner{data: unmarked(data)}
	if s.peek() != '{' {
		return s.fail("expected an object")
	}
	err := s.object(func(name []byte) error {
		value, err := s.raw()
		if err != nil {
			return err
		}
		return member(name, value)
	})
	if err != nil {
		return err
	}
	return s.end()
}

// Array does the same for the elements of an array.
func Array(data []byte, element func(value []byte) error) error {
	s := scanner{data: data}
	if s.peek() != '[' {
		return s.fail("expected an array")
	}
	err := s.array(func() error {
		value, err := s.raw()
		if err != nil {
			return err
		}
		return element(value)
	})
	if err != nil {
		return err
	}
	return s.end()
}
