package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	stateFile    = "snapshot.json"
	stateFormat  = 1
	maxStateSize = 64 << 20 // 65,536 leases need about 6 MiB
)

// envelope is the file that keeps a State.
type envelope struct {
	Format int             `json:"format"`
	Pool   string          `json:"pool"`
	SHA256 string          `json:"sha256"` // of State as it stands in the file
	State  json.RawMessage `json:"state"`
}

// saveState writes the state so that a reader finds the old file or the new
// one, whenever the machine stops.
func saveState(dir, pool string, s State) (err error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode snapshot: %w", err)
	}
	sum := sha256.Sum256(raw)
	data, err := json.Marshal(envelope{Format: stateFormat, Pool: pool, SHA256: hex.EncodeToString(sum[:]), State: raw})
	if err != nil {
		return fmt.Errorf("encode snapshot: %w", err)
	}
	tmp, err := os.CreateTemp(dir, stateFile+".*")
	if err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("save snapshot: %w", err), os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(dir, stateFile))
}

// errNoState says that there is no file, which is normal at the first start.
var errNoState = errors.New("no snapshot is kept")

// loadState reads what saveState wrote for the same pool. Whatever is wrong
// with the file is an error that says what.
func loadState(dir, pool string) (State, error) {
	f, err := os.Open(filepath.Join(dir, stateFile)) //nolint:gosec // the operator's directory
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, errNoState
	}
	if err != nil {
		return State{}, fmt.Errorf("read snapshot: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxStateSize+1))
	if err != nil {
		return State{}, fmt.Errorf("read snapshot: %w", err)
	}
	if len(data) > maxStateSize {
		return State{}, fmt.Errorf("read snapshot: the file is larger than %d bytes", maxStateSize)
	}
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return State{}, fmt.Errorf("read snapshot: %w", err)
	}
	sum := sha256.Sum256(e.State)
	switch {
	case e.Format != stateFormat:
		return State{}, fmt.Errorf("read snapshot: format %d is not the one understood, %d", e.Format, stateFormat)
	case e.Pool != pool:
		return State{}, fmt.Errorf("read snapshot: it belongs to pool %q, not to %q", e.Pool, pool)
	case e.SHA256 != hex.EncodeToString(sum[:]):
		return State{}, errors.New("read snapshot: the checksum is wrong, the file is damaged")
	}
	var s State
	if err := json.Unmarshal(e.State, &s); err != nil {
		return State{}, fmt.Errorf("read snapshot: %w", err)
	}
	return s, nil
}

// removeState forgets the snapshot.
func removeState(dir string) error {
	if err := os.Remove(filepath.Join(dir, stateFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove snapshot: %w", err)
	}
	return nil
}
