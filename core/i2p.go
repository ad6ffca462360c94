package core

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// DefaultSAM is where I2P routers take SAM connections, the Java one and i2pd.
const DefaultSAM = "127.0.0.1:7656"

// ErrNoI2P means that no I2P router takes SAM connections where it should.
var ErrNoI2P = errors.New("no I2P router answers")

// ErrSAM means that the router would be elsewhere: the way to it would be open
// to others.
var ErrSAM = errors.New("the I2P router must be on this computer, as 127.0.0.1:7656")

const samWait = 10 * time.Second

// checkSAM greets the I2P router as its SAM bridge wants to be greeted:
// without the right answer nothing else is started.
func checkSAM(ctx context.Context, address string) error {
	if a, err := netip.ParseAddrPort(address); err != nil || !a.Addr().Is4() || !a.Addr().IsLoopback() || a.Port() == 0 {
		return fmt.Errorf("%w: %q", ErrSAM, address)
	}
	ctx, cancel := context.WithTimeout(ctx, samWait)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("%w at %s", ErrNoI2P, address)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	fmt.Fprint(conn, "HELLO VERSION MIN=3.0 MAX=3.3\n")
	answer, err := bufio.NewReaderSize(conn, 256).ReadSlice('\n')
	if err != nil || !strings.HasPrefix(string(answer), "HELLO REPLY RESULT=OK ") {
		return fmt.Errorf("%w at %s, but something else", ErrNoI2P, address)
	}
	return nil
}
