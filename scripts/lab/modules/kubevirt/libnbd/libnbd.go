// Package libnbd stands in for libguestfs.org/libnbd, the C binding KubeVirt
// uses to read the changed blocks of a backed-up disk. The lab has no disks to
// back up and no libnbd to link against, so opening a handle fails with
// [ErrAbsent] and the methods of a handle, which nobody can obtain, do too.
//
// It declares what kubevirt.io/kubevirt/pkg/virt-launcher/virtwrap/storage
// names, no more.
package libnbd

import "errors"

// ErrAbsent is the answer to every call.
var ErrAbsent = errors.New("libnbd: changed-block tracking is not part of the lab's KubeVirt build")

// Names of metadata contexts and flags of extents, as in libnbd.h and the NBD
// protocol document.
const (
	CONTEXT_BASE_ALLOCATION   = "base:allocation"
	CONTEXT_QEMU_DIRTY_BITMAP = "qemu:dirty-bitmap:"

	STATE_HOLE  uint32 = 1 << 0
	STATE_ZERO  uint32 = 1 << 1
	STATE_DIRTY uint32 = 1 << 0
)

type (
	// Libnbd is a connection handle.
	Libnbd struct{}
	// LibnbdExtent is one run of blocks with the same flags.
	LibnbdExtent struct {
		Length uint64
		Flags  uint64
	}
	// BlockStatus64Optargs are the optional arguments of BlockStatus64.
	BlockStatus64Optargs struct{}
	// PreadOptargs are the optional arguments of Pread.
	PreadOptargs struct{}
	// Extent64Callback receives the extents of one metadata context.
	Extent64Callback func(metacontext string, offset uint64, entries []LibnbdExtent, nbdErr *int) int
)

// Create always fails with [ErrAbsent].
func Create() (*Libnbd, error) { return nil, ErrAbsent }

// Close fails with [ErrAbsent], as every method below does.
func (*Libnbd) Close() error { return ErrAbsent }

// AddMetaContext fails with [ErrAbsent].
func (*Libnbd) AddMetaContext(string) error { return ErrAbsent }

// CanMetaContext fails with [ErrAbsent].
func (*Libnbd) CanMetaContext(string) (bool, error) { return false, ErrAbsent }

// GetSize fails with [ErrAbsent].
func (*Libnbd) GetSize() (uint64, error) { return 0, ErrAbsent }

// SetExportName fails with [ErrAbsent].
func (*Libnbd) SetExportName(string) error { return ErrAbsent }

// ConnectUnix fails with [ErrAbsent].
func (*Libnbd) ConnectUnix(string) error { return ErrAbsent }

// Pread fails with [ErrAbsent].
func (*Libnbd) Pread([]byte, uint64, *PreadOptargs) error { return ErrAbsent }

// BlockStatus64 fails with [ErrAbsent].
func (*Libnbd) BlockStatus64(uint64, uint64, Extent64Callback, *BlockStatus64Optargs) error {
	return ErrAbsent
}
