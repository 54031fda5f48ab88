import { OciError } from '../errors.ts'
import { toPointer } from '../oci/schema.ts'
import { cloneFlags, openFlags } from '../program/flags.ts'
import { type HostStep, op, type Step, undoable } from '../program/program.ts'
import type { CompileContext } from './context.ts'
import { isNew } from './namespaces.ts'

const maxNameBytes = 15

/**
 * Host steps that move interfaces of the host into the container's network namespace, under their new names and with their
 * permanent addresses of global scope, and set them up. The undo of a failed create moves them back as they were.
 *
 * @throws OciError `ERR_CONFIG_INVALID` a name that no interface can have; `ERR_CONFIG_UNSUPPORTED` without root
 * @see runtime-spec v1.3.0 config-linux.md "Network Devices"
 */
export function compileNetDevices(context: CompileContext): readonly HostStep[] {
  const devices = Object.entries(context.config.linux?.netDevices ?? {})
  if (devices.length === 0) return []
  const { euid, inUserNamespace } = context.facts
  if (euid !== 0 || inUserNamespace) {
    throw new OciError('ERR_CONFIG_UNSUPPORTED', 'network devices are not supported for rootless containers', {
      pointer: '/linux/netDevices',
      hint: 'run as root, or remove /linux/netDevices',
    })
  }
  return [
    ...openSockets(context),
    ...devices.flatMap(([name, device], index) => moveDevice(name, device.name || name, `interface_${index}`)),
  ]
}

/** Opens a netlink socket in each of the two network namespaces: a socket belongs to the one in which it was made. */
function openSockets({ config }: CompileContext): readonly HostStep[] {
  const from = '/linux/netDevices'
  const steps = [
    op('open', { to: 'own_network', at: 'proc', path: 'self/ns/net', flags: openFlags.RDONLY }, from),
    ...(isNew(config, 'network')
      ? [
          op(
            'open',
            { to: 'ns_network', at: 'proc', path: [{ register: 'pid' }, '/ns/net'], flags: openFlags.RDONLY },
            from,
          ),
        ]
      : []),
    op('netlink_socket', { to: 'own_links' }, from),
    op('setns', { slot: 'ns_network', type: cloneFlags.NEWNET }, from),
    op('netlink_socket', { to: 'links' }, from),
    op('setns', { slot: 'own_network', type: cloneFlags.NEWNET }, from),
  ]
  return steps.map((step) => undoable(step))
}

/**
 * Moves one interface and renames it in the same request, so that its old name may be taken in the container.
 *
 * @param saved the slot for the interface's state, of which the move loses a part
 */
function moveDevice(name: string, newName: string, saved: string): readonly HostStep[] {
  const from = toPointer(['linux', 'netDevices', name])
  checkName(name, from)
  checkName(newName, `${from}/name`)
  const request = (socket: string, message: Uint8Array, on: string, netns: string | null): Step =>
    op('netlink_request', { socket, request: message, interface: on, netns }, from)
  return [
    undoable(op('save_interface', { to: saved, socket: 'own_links', interface: name }, from)),
    undoable(
      request('own_links', linkRequest({ isUp: false }), name, null),
      op('restore_interface', { socket: 'own_links', interface: name, saved }, from),
    ),
    // The kernel moves the interface before it renames it: a rename that fails would leave it in the container.
    undoable(op('expect_no_interface', { socket: 'links', interface: newName }, from)),
    undoable(
      request('own_links', linkRequest({ name: newName }), name, 'ns_network'),
      request('links', linkRequest({ name }), newName, 'own_network'),
    ),
    undoable(op('restore_interface', { socket: 'links', interface: newName, saved }, from)),
    undoable(request('links', linkRequest({ isUp: true }), newName, null)),
  ]
}

/** Refuses a name that the kernel's dev_valid_name() refuses. */
function checkName(name: string, pointer: string): void {
  const isValid = name !== '.' && name !== '..' && /^[^\s/:\0]+$/.test(name) && Buffer.byteLength(name) <= maxNameBytes
  if (isValid) return
  throw new OciError('ERR_CONFIG_INVALID', `invalid network device name "${name}"`, {
    pointer,
    hint: `use at most ${maxNameBytes} bytes, without spaces, "/" and ":"`,
  })
}

/** linux/rtnetlink.h, linux/if_link.h, linux/netlink.h */
const newLink = 16
const linkAttributes = { IFNAME: 3, NET_NS_FD: 28 } as const
const requestWithAck = 0x05
const interfaceUp = 0x1
const headerBytes = 32

/**
 * Encodes an RTM_NEWLINK message (struct nlmsghdr, struct ifinfomsg and attributes) that sets a link up or down, or gives
 * it another name and a network namespace. The runner fills in lengths, numbers and the namespace's descriptor, which is
 * the last word.
 */
function linkRequest(change: { readonly isUp: boolean } | { readonly name: string }): Uint8Array {
  const name = Buffer.from('name' in change ? `${change.name}\0` : '')
  const padded = (name.length + 3) & ~3
  const view = Buffer.alloc(headerBytes + ('name' in change ? 4 + padded + 8 : 0))
  view.writeUInt16LE(newLink, 4)
  view.writeUInt16LE(requestWithAck, 6)
  if ('isUp' in change) {
    view.writeUInt32LE(change.isUp ? interfaceUp : 0, 24)
    view.writeUInt32LE(interfaceUp, 28)
    return view
  }
  view.writeUInt16LE(4 + name.length, headerBytes)
  view.writeUInt16LE(linkAttributes.IFNAME, headerBytes + 2)
  name.copy(view, headerBytes + 4)
  view.writeUInt16LE(8, headerBytes + 4 + padded)
  view.writeUInt16LE(linkAttributes.NET_NS_FD, headerBytes + 4 + padded + 2)
  return view
}
