// A made image as an OCI layout, the same bytes every time: what a distribution's image with some software on top is
// like. Three layers, about 250 MB compressed, 15,000 files in the end; the last layer deletes a third of the others'.
import { directories, entry, file, writeImage } from '../image-layout.mjs'

export const makeImage = (layout) =>
  writeImage(
    layout,
    [base, smallFiles, deletions].map((entries) => () => entries(contents(numbers(3)))),
  )

function* base(made) {
  yield* directories('bin', 'etc', 'dev', 'proc', 'sys', 'tmp', 'usr', 'usr/lib', 'usr/share', 'usr/share/man')
  for (let i = 0; i < 60; i++) yield file(`usr/lib/libpart${i}.so.1`, made.machineCode(1_400_000 + 3333 * i))
  for (let i = 0; i < 60; i++) yield entry(`usr/lib/libpart${i}.so`, { type: '2', link: `libpart${i}.so.1` })
  yield* tree('usr/share/doc', { count: 7_900, meanSize: 14_000, made })
  yield* tree('usr/share/man/man1', { count: 500, meanSize: 6_000, made })
}

function* smallFiles(made) {
  yield* directories('opt')
  yield* tree('opt/share1', { count: 7_000, meanSize: 7_000, made })
  yield* tree('opt/share2', { count: 7_000, meanSize: 7_000, made })
  yield file('opt/random.bin', made.noise(48_000_000))
}

function* deletions(made) {
  yield* directories('opt', 'usr', 'usr/share')
  yield file('opt/.wh.share2', [])
  yield file('usr/share/.wh.man', [])
  yield file('opt/big.bin', made.noise(64_000_000))
}

/** Text files, a hundred to a directory, of half to one and a half times the mean size. */
function* tree(top, { count, meanSize, made }) {
  yield* directories(top)
  for (let i = 0; i < count; i++) {
    const part = `${top}/part${Math.floor(i / 100)}`
    if (i % 100 === 0) yield* directories(part)
    yield file(`${part}/file${i}.txt`, made.text(meanSize), i % 50 === 0 ? 0o755 : 0o644)
  }
}

const poolBytes = 8_000_000
const noisePool = makeNoise(numbers(1))
const textPool = makeText(numbers(2))

/** The content of files, chosen by numbers of the layer's own: layers are made side by side. */
function contents(random) {
  const slice = (pool, size) => {
    const at = random() % (pool.length - size)
    return pool.subarray(at, at + size)
  }
  const pieces = (size, pieceSize, poolOf) =>
    Array.from({ length: Math.ceil(size / pieceSize) }, (_, i) =>
      slice(poolOf(i), Math.min(pieceSize, size - i * pieceSize)),
    )
  return {
    text: (meanSize) => [slice(textPool, Math.floor(meanSize * (0.5 + random() / 2 ** 32)))],
    /** Bytes that gzip cannot make smaller: pieces larger than its window. */
    noise: (size) => pieces(size, 500_000, () => noisePool),
    /** Half of it like text, half like noise, in turns. */
    machineCode: (size) => pieces(size, 4000, (i) => (i % 2 === 0 ? textPool : noisePool)),
  }
}

/** xorshift32: the same numbers on every machine. */
function numbers(seed) {
  let state = Math.imul(seed, 0x9e3779b9)
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

function makeNoise(random) {
  const pool = Buffer.alloc(poolBytes)
  for (let at = 0; at < poolBytes; at += 4) pool.writeUInt32LE(random(), at)
  return pool
}

/** Words of a small vocabulary, a few of them often: gzip makes a third of it. */
function makeText(random) {
  const syllables = ['con', 'tai', 'ner', 'ra', 'me', 'is', 'the', 'lo', 'gu', 'pa', 'st', 'ing', 'er', 'qui', 'x', 'o']
  const word = () => Array.from({ length: 1 + (random() % 4) }, () => syllables[random() % syllables.length]).join('')
  const words = Array.from({ length: 4096 }, word)
  const pieces = []
  for (let length = 0; length < poolBytes; ) {
    const next = words[Math.floor(words.length * (random() / 2 ** 32) ** 3)]
    pieces.push(next, random() % 9 === 0 ? '\n' : ' ')
    length += next.length + 1
  }
  return Buffer.from(pieces.join('')).subarray(0, poolBytes)
}
