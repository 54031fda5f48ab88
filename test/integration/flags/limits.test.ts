import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect } from 'vitest'
import { requires } from '../../requirements.ts'
import { callers, openFlagged } from './flagged.ts'

const { test } = requires('root', 'busybox')

describe.each(callers)('as %s', (_, uid) => {
  const flagged = openFlagged(uid)

  test('limits of processes', () => {
    const flags = ['--ulimit', 'nofile=77:88', '--ulimit=core=0', '--ulimit', 'stack=1000000:-1']
    const script = 'ulimit -n; ulimit -Hn; ulimit -c; grep stack /proc/self/limits | tr -s " " | cut -d" " -f4,5'
    expect(flagged().see(flags, script)).toBe('77\n88\n0\n1000000 unlimited\n')
  })

  test('settings of the kernel', () => {
    expect(flagged().see(['--sysctl', 'kernel.msgmax=77'], 'cat /proc/sys/kernel/msgmax')).toBe('77\n')
    if (uid === 0) {
      expect(flagged().see(['--sysctl=net.core.somaxconn=78'], 'cat /proc/sys/net/core/somaxconn')).toBe('78\n')
    }
  })

  test.each([
    [['--ulimit', 'files=1'], '--ulimit \\"files=1\\": there is no limit \\"files\\"'],
    [['--ulimit', 'nofile=2:1'], 'the soft limit is above the hard one'],
    [['--ulimit', 'nofile'], 'its limits must be whole numbers'],
    [['--ulimit', 'nofile=1', '--ulimit', 'nofile=2'], 'RLIMIT_NOFILE is given twice'],
    [['--sysctl', 'vm.swappiness=1'], '--sysctl \\"vm.swappiness=1\\": it must be NAME=VALUE'],
    [['-m', 'much'], '--memory \\"much\\": it must be a number of bytes'],
    [['--memory-swap', '1g'], '--memory-swap \\"1g\\": it needs a limit of memory'],
    [['-m', '1g', '--memory-swap', '1m'], 'it is less than the 1073741824 bytes of --memory'],
    [['--cpus', '0'], '--cpus \\"0\\": it must be a number of at least 0.01'],
    [['--cpus', '1,5'], '--cpus \\"1,5\\": '],
    [['--cpu-shares', '1'], '--cpu-shares \\"1\\": it must be a whole number from 2'],
    [['--pids-limit', '1.5'], '--pids-limit \\"1.5\\": it must be a whole number'],
    [['--cgroup-parent', '../x'], '--cgroup-parent \\"../x\\": it must be the path of a cgroup'],
  ])('%j is refused by its name', (flags, message) => {
    expect(flagged().refusal(...flags)).toContain(message)
  })
})

requires('cgroup1', 'root').describe('cgroups', () => {
  const flagged = openFlagged(0)
  const parent = `flags-${process.pid}`
  const mount = '/sys/fs/cgroup'
  afterEach(() => {
    for (const name of readdirSync(mount)) {
      if (existsSync(join(mount, name, parent))) rmdirSync(join(mount, name, parent))
    }
  })

  test('memory, CPUs and processes are limited, below a cgroup of the caller', () => {
    const flags = ['-m', '64m', '--cpus', '1.5', '--cpu-shares', '512', '--pids-limit', '20', '--cgroup-parent', parent]
    const files = ['memory/memory.limit_in_bytes', 'cpu/cpu.cfs_quota_us', 'cpu/cpu.shares', 'pids/pids.max']
    const script = `cat ${files.map((file) => join(mount, file)).join(' ')}; grep :memory: /proc/self/cgroup`
    const [limit, quota, shares, pids, cgroup] = flagged().see(flags, script).split('\n')
    expect([limit, quota, shares, pids]).toEqual(['67108864', '150000', '512', '20'])
    expect(cgroup).toMatch(new RegExp(`:/${parent}/bundle$`))
  })

  test('swap is limited to as much as memory where it is counted', () => {
    const { place, call } = flagged()
    const isCounted = existsSync(`${mount}/memory/memory.memsw.limit_in_bytes`)
    const memory = (...flags: readonly string[]): unknown => {
      expect(call(['spec', '-b', 'bundle', ...flags])).toMatchObject({ end: 0, stderr: '' })
      return JSON.parse(readFileSync(join(place.bundle, 'config.json'), 'utf8')).linux.resources.memory
    }
    expect(memory('-m', '1.5GiB')).toEqual({ limit: 1610612736, ...(isCounted && { swap: 3221225472 }) })
    expect(memory('-m', '1g', '--memory-swap', '-1')).toEqual({ limit: 1073741824, swap: -1 })
  })

  test('what --show prints makes the same limits', () => {
    const { place, call } = flagged()
    const flags = [
      '-m',
      '1g',
      '--memory-swap=3g',
      '--cpus=.25',
      '--pids-limit',
      '0',
      '--ulimit',
      'core=-1',
      '--cgroup-parent=a/b',
    ]
    const rights = [
      '--cap-drop',
      'KILL',
      '--cap-add',
      'SYS_TIME',
      '--security-opt',
      'no-new-privileges',
      '--sysctl',
      'net.x=1',
    ]
    const read = () => JSON.parse(readFileSync(join(place.bundle, 'config.json'), 'utf8'))
    expect(call(['spec', '-b', 'bundle', ...flags, ...rights])).toMatchObject({ end: 0, stderr: '' })
    const before = read()
    const words = JSON.parse(call(['config', '-b', 'bundle', '--show', '--json']).stdout)
    expect(call(['spec', '-b', 'bundle', ...words])).toMatchObject({ end: 0, stderr: '' })
    expect(read()).toEqual(before)
  })
})
