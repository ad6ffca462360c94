package core

import (
	"context"
	crand "crypto/rand"
	"math/rand/v2"

	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
)

// Bounds of a quick rehearsal's sample.
const (
	sampleFiles = 200
	sampleBytes = 64e6
)

// MaxSampled is the size of the largest files a quick rehearsal draws.
const MaxSampled int64 = sampleBytes

// firstTier is the tier of what is needed in the first hour.
const firstTier = 1

// survey is what one reading of the listing tells a rehearsal.
type survey struct {
	first map[string]bool // folders of the first tier
	sample
	entries, firstEntries int64
	bytes, firstBytes     int64 // of content, holes left out
	firstFiles            int
}

// sample draws files from those outside the first tier.
type sample struct {
	random   *rand.Rand
	drawn    []drawn // at random, not in random order until cut
	of       int     // files to draw from
	tooLarge int     // files larger than sampleBytes, which are not
	smallest drawn   // of these
}

type drawn struct {
	path  string
	bytes int64
}

func newSurvey(s *snapshot.Snapshot) *survey {
	var seed [32]byte
	crand.Read(seed[:]) // never fails
	v := &survey{first: make(map[string]bool), sample: sample{random: rand.New(rand.NewChaCha8(seed))}}
	for _, f := range s.Folders {
		if f.Tier == firstTier {
			v.first[f.Name] = true
		}
	}
	return v
}

// survey reads the listing of s once.
func (g *Grid) survey(ctx context.Context, s *snapshot.Snapshot) (*survey, error) {
	v := newSurvey(s)
	err := restore.Entries(ctx, g.vault, s, func(e *snapshot.Entry) error {
		v.entry(e)
		return nil
	})
	v.cut()
	return v, err
}

func (v *survey) entry(e *snapshot.Entry) {
	var bytes int64
	for _, c := range e.Chunks {
		if !c.Hole() {
			bytes += c.Length
		}
	}
	v.entries++
	v.bytes += bytes
	switch {
	case v.first[e.Folder()]:
		v.firstEntries++
		v.firstBytes += bytes
		if e.Type == snapshot.TypeFile {
			v.firstFiles++
		}
	case e.Type == snapshot.TypeFile:
		v.offer(string(e.Path), bytes)
	}
}

// offer keeps each file with the same probability, however many come.
func (s *sample) offer(path string, bytes int64) {
	if bytes > sampleBytes {
		if s.tooLarge++; s.tooLarge == 1 || bytes < s.smallest.bytes {
			s.smallest = drawn{path, bytes}
		}
		return
	}
	s.of++
	if len(s.drawn) < sampleFiles {
		s.drawn = append(s.drawn, drawn{path, bytes})
	} else if i := s.random.IntN(s.of); i < sampleFiles {
		s.drawn[i] = drawn{path, bytes}
	}
}

// cut shortens the sample to the file that reaches sampleBytes. That one stays:
// leaving out what does not fit would spare the large files.
func (s *sample) cut() {
	s.random.Shuffle(len(s.drawn), func(i, j int) { s.drawn[i], s.drawn[j] = s.drawn[j], s.drawn[i] })
	sum := int64(0)
	for i, d := range s.drawn {
		if sum += d.bytes; sum >= sampleBytes {
			s.drawn = s.drawn[:i+1]
			return
		}
	}
}

// orLarge draws the smallest large file when there is no other to draw, if it
// fits. If nothing else at all came back it has to fit: a rehearsal that restores
// no file proves nothing.
func (v *survey) orLarge(room int64) {
	if len(v.drawn) > 0 || v.tooLarge == 0 {
		return
	}
	v.drawn = []drawn{v.smallest}
	if v.firstFiles > 0 && v.need(false) > room {
		v.drawn = nil
		return
	}
	v.tooLarge--
}

func (s *sample) paths() []string {
	paths := make([]string, len(s.drawn))
	for i, d := range s.drawn {
		paths[i] = d.path
	}
	return paths
}

// need is how much room the files take at most: file systems count in blocks.
func (v *survey) need(full bool) int64 {
	const block = 4096
	if full {
		return v.bytes + v.entries*block
	}
	need := v.firstBytes + v.firstEntries*block
	for _, d := range v.drawn {
		need += d.bytes + block
	}
	return need
}
