// Package tornet runs a private Tor network on loopback: authorities, relays
// and one tor that offers onion services. It is for tests, and for practising
// with onion services where there is no network.
//
// Not here: the tor that connects to it, which is package tor's with the
// lines of ClientConfig.
//
//	make keys → authorities and relays start → the authorities vote every few
//	seconds until the relays are in the consensus → the host connects
//
// It hides nothing: all of it is one machine, and its keys are short-lived.
package tornet
