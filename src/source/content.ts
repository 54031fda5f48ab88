import type { Descriptor } from '../oci/descriptor.ts'
import type { Document } from './resolve-image.ts'

/** An image, or an index of images, as it is stored: documents and blobs by their descriptors. */
export interface Content {
  /** What messages call it. */
  readonly name: string
  /** The manifest or index that the name stands for. */
  root(): Promise<Document>
  /** A manifest or index that another one names, verified. */
  readManifest(manifest: Descriptor): Promise<Uint8Array>
  /** What the images are called that the place has; undefined where it has one alone. */
  names?(): Promise<readonly string[]>
  /** Refuses an image, by its manifest, that does not have the signatures that it must have. */
  checkSigned?(manifest: Document): Promise<void>
  /** A blob's bytes; an error ends them unless they are as described. */
  open(blob: Descriptor): AsyncIterable<Uint8Array>
  close(): Promise<void>
}

/** A place that takes images in. What it is given appears with `finish`, whole, or not at all. */
export interface Target {
  /** What messages call it. */
  readonly name: string
  /** Whether an index may be written. */
  readonly takesIndex: boolean
  /** Whether its readers want every layer, also those that are not for distribution. */
  readonly needsLayers: boolean
  has(blob: Descriptor): Promise<boolean>
  /** @param open gives the blob's bytes, verified, anew with each call */
  writeBlob(blob: Descriptor, open: () => AsyncIterable<Uint8Array>): Promise<void>
  /** A manifest or index below the root. */
  writeManifest(document: Document): Promise<void>
  /** Writes the root and gives it its name. */
  finish(root: Document): Promise<void>
  /** Releases what the target holds; without `finish` before, what was made is removed where that is possible. */
  close(): Promise<void>
}
