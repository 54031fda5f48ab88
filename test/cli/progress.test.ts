import { expect, test } from 'vitest'
import { showProgress } from '../../src/cli/progress.ts'

const layer = (digest: string, size: number, bytes: number) => ({ layer: { digest, size }, bytes })

test('progress is one line, rewritten at most every tenth of a second, and gone at the end', () => {
  let text = ''
  let time = 0
  const progress = showProgress({ isTTY: true, write: (part) => (text += part) }, () => time)
  progress.update(layer('a', 2_000_000, 500_000))
  progress.update(layer('b', 1_000_000, 1_000_000))
  time = 100
  progress.update(layer('a', 2_000_000, 1_500_000))
  progress.end()
  expect(text).toBe('\r\u001b[K0 of 1 layers, 0.5 of 2.0 MB\r\u001b[K1 of 2 layers, 2.5 of 3.0 MB\r\u001b[K')
})

test('without a terminal nothing is shown', () => {
  let text = ''
  const progress = showProgress({ write: (part) => (text += part) })
  progress.update(layer('a', 1, 1))
  progress.end()
  expect(text).toBe('')
})
