import { expect, test } from 'vitest'
import { formatTable } from '../../src/cli/list.ts'

test("the table has runc's columns: at least 12 wide, three spaces between, none after the last", () => {
  const common = { ociVersion: '1.3.0', rootfs: '/r', created: '2026-01-02T03:04:05.6Z' }
  const states = [
    { ...common, id: 'a', pid: 12, status: 'running', bundle: '/bundle', owner: 'root' },
    { ...common, id: 'a-long-container-id', pid: 0, status: 'stopped', bundle: '/a/long/bundle', owner: '#1000' },
  ] as const
  expect(formatTable(states)).toBe(
    [
      'ID                    PID         STATUS      BUNDLE           CREATED                  OWNER',
      'a                     12          running     /bundle          2026-01-02T03:04:05.6Z   root',
      'a-long-container-id   0           stopped     /a/long/bundle   2026-01-02T03:04:05.6Z   #1000',
      '',
    ].join('\n'),
  )
})
