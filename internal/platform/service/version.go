package service

import "runtime/debug"

// version is set by the linker (-X); see the Makefile.
var version string

// Version returns the version of this build: what the linker stamped, else the VCS revision, else "dev".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}
	return "dev"
}
