package token

import (
	"fmt"
	"hash/crc32"
	"strings"
)

const (
	invitationPrefix = "hpi_"
	secretChars      = 43
	checksumChars    = 8
)

// NewInvitation returns the token of an invitation: a prefix, 256 random bits and a CRC-32.
func NewInvitation() string {
	secret := invitationPrefix + NewSecret()
	return secret + checksum(secret)
}

// IsInvitation reports whether NewInvitation could have made text. What it refuses costs no query.
func IsInvitation(text string) bool {
	const length = len(invitationPrefix) + secretChars
	return len(text) == length+checksumChars && strings.HasPrefix(text, invitationPrefix) && checksum(text[:length]) == text[length:]
}

func checksum(text string) string {
	return fmt.Sprintf("%0*x", checksumChars, crc32.ChecksumIEEE([]byte(text)))
}
