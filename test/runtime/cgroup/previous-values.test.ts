import { expect, test } from 'vitest'
import { previousValues } from '../../../src/runtime/cgroup/previous-values.ts'

test.each<[what: string, written: string, content: string, expected: readonly string[]]>([
  ['one value', '100', '1024\n', ['1024']],
  ['two values', '5000 10000', 'max 100000\n', ['max 100000']],
  ['a device that had one', '8:0 100', '8:0 200\n8:16 300\n', ['8:0 200']],
  ['a device that had none', '8:0 100', '8:16 300\n', ['8:0 0']],
  ['keys of a device that had none', '8:0 rbps=5', '', ['8:0 rbps=max']],
  [
    'keys of a device that had some',
    '8:0 rbps=5',
    '8:0 rbps=max wbps=7 riops=max wiops=max\n',
    ['8:0 rbps=max wbps=7 riops=max wiops=max'],
  ],
  ['an interface', 'lo 5', 'lo 0\neth0 0\n', ['lo 0']],
  ['a weight beside those of devices', '500', 'default 100\n8:0 444\n', ['default 100']],
  ['the OOM killer', '1', 'oom_kill_disable 0\nunder_oom 0\noom_kill 0\n', ['0']],
  ['a file without content', '0-1', '', []],
])('%s goes back', (_, written, content, expected) => expect(previousValues(written, content)).toEqual(expected))
