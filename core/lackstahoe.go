package core

import (
	"errors"

	"hiddenbackup/core/node"
)

// InstallTahoe is the line that installs Tahoe-LAFS on Debian 13 and on Tails 7.
const InstallTahoe = node.InstallTahoe

// LacksTahoe reports whether installing Tahoe-LAFS helps against err.
func LacksTahoe(err error) bool {
	return errors.Is(err, node.ErrNoTahoe) || errors.Is(err, node.ErrMissingModule)
}
