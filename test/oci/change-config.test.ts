import { expect, test } from 'vitest'
import { changeConfig } from '../../src/oci/change-config.ts'

const before = { Env: ['PATH=/bin', 'A=1'], Cmd: ['sh'], Labels: { a: 'b' }, ExposedPorts: { '1/udp': {} } }

test.each([
  ['CMD ["a", "b c"]', { Cmd: ['a', 'b c'] }],
  ['cmd echo "$A"', { Cmd: ['/bin/sh', '-c', 'echo "$A"'] }],
  ['ENTRYPOINT ["/x"]', { Entrypoint: ['/x'], Cmd: undefined }],
  ['ENV A=2', { Env: ['PATH=/bin', 'A=2'] }],
  ['ENV B="x = y"', { Env: ['PATH=/bin', 'A=1', 'B=x = y'] }],
  ['ENV B=', { Env: ['PATH=/bin', 'A=1', 'B='] }],
  ['LABEL org.x=1', { Labels: { a: 'b', 'org.x': '1' } }],
  ['EXPOSE 80 53/udp', { ExposedPorts: { '1/udp': {}, '80/tcp': {}, '53/udp': {} } }],
  ['VOLUME /data', { Volumes: { '/data': {} } }],
  ['USER 1000:1000', { User: '1000:1000' }],
  ['WORKDIR /srv', { WorkingDir: '/srv' }],
  ['STOPSIGNAL SIGQUIT', { StopSignal: 'SIGQUIT' }],
])('%s', (instruction, changed) => {
  expect(changeConfig(before, instruction)).toEqual({ ...before, ...changed })
})

test.each(['', 'CMD', 'CMD [1]', 'CMD ["a"', 'ENV A', 'ENV =x', 'WORKDIR here', 'RUN make', 'COPY a b'])(
  '%j is refused',
  (instruction) => {
    expect(() => changeConfig(before, instruction)).toThrow(
      expect.objectContaining({ code: 'ERR_USAGE', hint: expect.stringContaining('CMD, ENTRYPOINT') }),
    )
  },
)
