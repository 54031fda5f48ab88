import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Document } from './resolve-image.ts'

/** An image, or an index of images, as it is stored: documents and blobs by their descriptors. */
export interface Content {
  /** Name in messages. */
  readonly name: string
  /** The manifest or index that the name stands for. */
  root(): Promise<Document>
  /** A manifest or index that another one names, verified. */
  readManifest(manifest: Descriptor): Promise<Uint8Array>
  /** Names of the images in the place; absent for a place that has one image only. */
  names?(): Promise<readonly string[]>
  /** Refuses an image, given by its manifest, that lacks a required signature. */
  checkSigned?(manifest: Document): Promise<void>
  /** The manifests in the place that refer to another one; absent where none can. */
  referrers?(subject: Descriptor): Promise<readonly Descriptor[]>
  /** The manifest with a tag of the same repository, if there is one. */
  tagged?(tag: string): Promise<Document | undefined>
  /** A blob's bytes; throws at the end unless they match the descriptor. */
  open(blob: Descriptor): AsyncIterable<Uint8Array>
  close(): Promise<void>
}

/** A place to which images are written. They appear with `finish`, complete, or not at all. */
export interface Target {
  /** Name in messages. */
  readonly name: string
  /** True when an index may be written. */
  readonly takesIndex: boolean
  /** True when every layer must be written, also non-distributable ones. */
  readonly needsLayers: boolean
  has(blob: Descriptor): Promise<boolean>
  /** Writes a blob. @param open returns the blob's bytes, verified, from the beginning with each call */
  writeBlob(blob: Descriptor, open: () => AsyncIterable<Uint8Array>): Promise<void>
  /** Writes a manifest or index below the root. */
  writeManifest(document: Document): Promise<void>
  /** Writes a manifest that refers to another one; absent where none can. */
  writeReferrer?(document: Document, subject: Digest): Promise<void>
  /** Writes a manifest under a tag of the same repository. */
  writeTagged?(tag: string, document: Document): Promise<void>
  /** Writes the root and gives it its name. */
  finish(root: Document): Promise<void>
  /** Releases resources; without `finish` before, written data is removed where that is possible. */
  close(): Promise<void>
}
