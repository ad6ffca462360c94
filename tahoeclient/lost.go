package tahoeclient

// ErrLost is the first name of ErrDamaged: core/backup/repack.go still uses it.
var ErrLost = ErrDamaged
