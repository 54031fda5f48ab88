import { readFileSync } from 'node:fs'
import { isThere } from '../../requirements.ts'
import { inspect, run, shell, start } from './client.ts'
import { name, type Row, until } from './rows.ts'

export const limits =
  'cd /sys/fs/cgroup; cat m*/memory.limit_in_bytes memory.max p*/pids.max pids.max c*/cpu.cfs_quota_us cpu.max cpuset/cpuset.cpus cpuset.cpus 2>&-; true'

/** Where cgroup v1 has the controllers, a view of cgroup v2 alone has no limits. */
export const hasLimits: boolean =
  !isThere('cgroup2') || readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').includes('memory')

const rows: readonly Row[] = [
  run(
    '--memory, --cpus, --pids-limit, --cpuset-cpus: as read inside',
    ['--memory', '64m', '--cpus', '0.5', '--pids-limit', '20', '--cpuset-cpus', '0'],
    limits,
  ),
  {
    what: '--memory: what needs more is killed',
    async see(engine) {
      start(
        engine,
        'head -c 100m /dev/zero | tail | cat; echo $?; exec tail /dev/zero',
        '--memory',
        '20m',
        '--memory-swap',
        '20m',
      )
      await until(() => inspect(engine, 'Status') === 'exited')
      return [inspect(engine, 'ExitCode'), inspect(engine, 'OOMKilled')]
    },
  },
  run(
    '--pids-limit: the fork after the last is refused',
    ['--pids-limit', '5'],
    'for i in 1 2 3 4 5 6; do sleep 0.2 & done; wait',
  ),
  run(
    '--cpus: what needs more is slowed down',
    ['--cpus', '0.1'],
    'i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done; cat /sys/fs/cgroup/cpu/cpu.stat /sys/fs/cgroup/cpu.stat 2>&- | grep -c "nr_throttled [1-9]"',
  ),
  {
    what: 'update',
    see(engine) {
      start(engine, 'sleep 1000', '--memory', '64m', '--pids-limit', '20', '--cpus', '0.5')
      const before = engine.call('exec', name, 'sh', '-c', limits)
      const changes = ['--memory', '80m', '--memory-swap', '160m', '--pids-limit', '30', '--cpus', '0.7']
      return [
        before,
        engine.call('update', ...changes, name),
        engine.call('exec', name, 'sh', '-c', limits),
        engine.call('exec', name, 'sh', '-c', 'for i in $(seq 40); do sleep 1 & done').stderr !== '',
      ]
    },
  },
  {
    what: '--shm-size',
    see: (engine) => shell(engine, ['--shm-size', '3m'], 'df -k /dev/shm | tail -1'),
  },
]

/** Rows about limits: each is read in the container, and then met. */
export const limitRows: readonly Row[] = rows.map((row) => ({ ...row, isPossible: hasLimits }))
