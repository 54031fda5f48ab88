import { expect, test } from 'vitest'
import { commandNames } from '../../src/cli/commands.ts'
import { nearest } from '../../src/cli/nearest.ts'

test.each([
  ['pul', 'pull'],
  ['plul', 'pull'],
  ['pulll', 'pull'],
  ['runn', 'run'],
  ['crate', 'create'],
  ['inspct', 'inspect'],
  ['list-tag', 'list-tags'],
  ['comp', 'completion'],
  ['exce', 'exec'],
])('%s is most likely a slip of %s', (word, meant) => {
  expect(nearest(word, commandNames)).toBe(meant)
})

test('a word that is like nothing is a slip of nothing', () => {
  for (const word of ['', 'x', 'foo', 'podman', 'kubernetes']) expect(nearest(word, commandNames)).toBeUndefined()
})
