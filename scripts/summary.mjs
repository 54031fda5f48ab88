// Prints `N passed, N failed, N skipped` from what vitest's JSON reporter wrote; fails unless all passed that ran.
import { readFileSync } from 'node:fs'

const [file] = process.argv.slice(2)
const text = readFileSync(file, 'utf8')
// Nothing was written: vitest itself did not get to its end.
const { testResults } = text === '' ? { testResults: [{ status: 'failed', assertionResults: [] }] } : JSON.parse(text)
const count = { passed: 0, failed: 0, skipped: 0 }
for (const { status, assertionResults } of testResults) {
  for (const test of assertionResults) count[test.status in count ? test.status : 'skipped']++
  // A file that cannot be loaded has no tests in it, and a hook that fails no failed one.
  if (status === 'failed' && !assertionResults.some((test) => test.status === 'failed')) count.failed++
}
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
if (count.failed > 0 || count.passed === 0) process.exitCode = 1
