// Prints what failed, and as the last line `N passed, N failed, N skipped`, from what vitest's JSON reporter wrote; fails unless
// all passed that ran.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const [file] = process.argv.slice(2)
const text = readFileSync(file, 'utf8')
// Nothing was written: vitest itself did not get to its end.
const { testResults } = text === '' ? { testResults: [{ status: 'failed', assertionResults: [] }] } : JSON.parse(text)
const count = { passed: 0, failed: 0, skipped: 0 }
for (const { name = 'all files', status, message, assertionResults } of testResults) {
  for (const test of assertionResults) {
    count[test.status in count ? test.status : 'skipped']++
    if (test.status === 'failed') report(name, test.fullName, test.failureMessages.join('\n'))
  }
  // A file that cannot be loaded has no tests in it, and a hook that fails no failed one.
  if (status === 'failed' && !assertionResults.some((test) => test.status === 'failed')) {
    count.failed++
    report(name, 'the file, or one of its hooks', message ?? '')
  }
}
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
if (count.failed > 0 || count.passed === 0) process.exitCode = 1

/** The first lines of a failure: what was expected, and where. */
function report(path, test, message) {
  const lines = stripVTControlCharacters(message)
    .split('\n')
    .filter((line) => line !== '' && !line.includes('/node_modules/'))
  console.log([`failed: ${relative('.', path)}: ${test}`, ...lines.slice(0, 12)].join('\n    '))
}
