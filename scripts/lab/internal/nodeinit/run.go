package nodeinit

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/freehold-net/freehold/scripts/lab/internal/vlan"
)

// Go is what the parent writes to standard input once it has noted who we are;
// without it the process ends, so that nothing runs that nobody knows of.
const Go = "go\n"

// Run is process 1. It returns only when the node could not be set up.
func Run(specFile string) error {
	spec, err := readSpec(specFile)
	if err != nil {
		return err
	}
	if os.Getpid() != 1 {
		return errors.New("not process 1: the lab starts this program, in a process namespace of its own")
	}
	word := make([]byte, len(Go))
	if _, err := io.ReadFull(os.Stdin, word); err != nil || string(word) != Go {
		return errors.New("the parent ended before it had noted this process")
	}
	if err := setUp(spec); err != nil {
		return err
	}
	s := newSupervisor(spec)
	if err := s.listen(spec.Socket); err != nil {
		return err
	}
	return s.run()
}

func setUp(spec Spec) error {
	if err := unix.Sethostname([]byte(spec.Hostname)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	if err := mounts(spec); err != nil {
		return err
	}
	if err := network(spec); err != nil {
		return err
	}
	if spec.VLANs != nil {
		return spec.VLANs.Write(vlan.ConfigPath)
	}
	return nil
}
