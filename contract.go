// Package hpanalytics holds the contract of the HTTP API. It is at the root of the module because embed cannot reach a
// file outside the package's directory.
package hpanalytics

import _ "embed" // for the contract

// Contract is the text of openapi.yaml.
//
//go:embed openapi.yaml
var Contract string
