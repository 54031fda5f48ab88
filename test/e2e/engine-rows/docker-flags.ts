import { writeFileSync } from 'node:fs'
import { run, shell } from './client.ts'
import type { Row } from './rows.ts'

const who =
  'id; pwd; echo $A; grep -E "^(Cap|NoNew|Groups)" /proc/self/status; ulimit -n; ulimit -Hc; cat /proc/sys/net/ipv4/ip_forward'
const masked =
  'for path in /proc/kcore /proc/timer_list /sys/firmware; do stat -c "%n %F %s" $path; done; touch /proc/sys/kernel/x'

/** Rows about the process: who it is, and what it may do. */
export const processRows: readonly Row[] = [
  run('--user, --group-add, -w, -e', ['-u', '12:34', '--group-add', '56', '-w', '/new/dir', '-e', 'A=b'], who),
  run(
    '--hostname, --domainname',
    ['--hostname', 'mine', '--domainname', 'example'],
    'hostname; cat /proc/sys/kernel/domainname /etc/hostname',
  ),
  run(
    '--cap-add, --cap-drop, --ulimit',
    ['--cap-drop', 'ALL', '--cap-add', 'NET_ADMIN', '--ulimit', 'nofile=99:199', '--ulimit', 'core=0'],
    who,
  ),
  run(
    '--security-opt no-new-privileges, --sysctl',
    ['--security-opt', 'no-new-privileges', '--sysctl', 'net.ipv4.ip_forward=1'],
    who,
  ),
  {
    what: '--security-opt seccomp: the default, a file, unconfined',
    see(engine) {
      const rules = [{ names: ['chown', 'fchownat', 'lchown'], action: 'SCMP_ACT_ERRNO' }]
      writeFileSync(engine.place.at('profile'), JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: rules }))
      const probe = 'grep ^Seccomp: /proc/self/status; unshare -U true; mount -t tmpfs x /tmp; chown 1:1 /bin; echo $?'
      return ['', engine.place.at('profile'), 'unconfined'].map((profile) =>
        shell(engine, profile === '' ? [] : ['--security-opt', `seccomp=${profile}`], probe),
      )
    },
  },
  {
    what: '--security-opt systempaths=unconfined, apparmor=unconfined, label=disable',
    see: (engine) => [
      shell(engine, [], masked),
      shell(
        engine,
        ['systempaths=unconfined', 'apparmor=unconfined', 'label=disable'].flatMap((word) => ['--security-opt', word]),
        masked,
      ),
    ],
  },
  run('--oom-score-adj', ['--oom-score-adj', '500'], 'cat /proc/self/oom_score_adj'),
  run(
    '--device, --device-cgroup-rule',
    ['--device', '/dev/null:/dev/mine:r', '--device-cgroup-rule', 'c 1:5 r', '--cap-add', 'MKNOD'],
    'stat -c "%F %t %T %a" /dev/mine; head -c1 /dev/mine; echo x > /dev/mine; mknod /tmp/zero c 1 5; head -c1 /tmp/zero | wc -c; echo > /tmp/zero; mknod /tmp/mem c 1 1; head -c1 /tmp/mem',
  ),
]
