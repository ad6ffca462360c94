// Package slowline makes a line on loopback as slow as one to the other end of
// an onion service.
//
// Not here: loss and jitter. Each direction has one delay and one rate, which
// all connections share, as they share a server's line.
//
//	accept → read → wait until the line is free → queue → wait for the delay → write
//
// Connecting takes no time: it is local, and the delay begins with the first byte.
package slowline
