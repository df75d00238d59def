/**
 * Named tensors in files: chooses the format, HDF5, safetensors, NumPy's or ONNX.
 *
 * Bytes in, bytes out: opening and saving files is the caller's, and so is what the names mean
 * (W1, b1, ...) and whether R stored a matrix transposed; shapes are delivered as in the file.
 */

import type { ReadOptions, Tensors, WriteOptions } from "./elements.ts";
import { isHdf5, readHdf5, writeHdf5 } from "./hdf5.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";

export type { ReadOptions, Tensor, Tensors, WriteOptions } from "./elements.ts";

/** Whether a file's name says that it is ONNX. */
export const isOnnxName = (fileName: string): boolean => /\.onnx$/i.test(fileName);

/** Whether the bytes begin as those of a zip archive do. */
const isNpz = (bytes: Uint8Array) => [0x50, 0x4b, 0x03, 0x04].every((byte, i) => bytes[i] === byte);

const HDF5_ENDING = /\.(h5|hdf5)$/i;
const SAFETENSORS_ENDING = /\.safetensors$/i;
const NPZ_ENDING = /\.npz$/i;

/**
 * Every numeric tensor of a file: HDF5 where the content or the ending says so; the arrays of an .npz
 * file, or the initializers of an .onnx file, by the ending; else safetensors.
 *
 * @param bytes the whole file
 * @param fileName its name, for error messages
 * @throws {SyntaxError} when the file is neither, or damaged.
 * @throws {RangeError} when a tensor holds NaN, infinity or an integer beyond float64.
 */
export async function readTensors(
  bytes: Uint8Array,
  fileName: string,
  options: ReadOptions = {},
): Promise<Tensors> {
  // An .h5 file without HDF5's signature is a broken HDF5 file, not a strange safetensors file.
  if (isHdf5(bytes) || HDF5_ENDING.test(fileName)) return await readHdf5(bytes, fileName, options);
  // What few files need is loaded where it is needed.
  if (isNpz(bytes) || NPZ_ENDING.test(fileName)) {
    return (await import("./npz.ts")).readNpz(bytes, fileName, options);
  }
  if (isOnnxName(fileName)) {
    return (await import("./onnx.ts")).readOnnx(bytes, fileName).initializers;
  }
  return readSafetensors(bytes, fileName, options).tensors;
}

/**
 * A file holding the tensors, in the format that the name's ending asks for.
 *
 * @param fileName ends in .h5, .hdf5 or .safetensors
 * @throws {TypeError} when the ending is another, or the format cannot hold a tensor's name.
 * @throws {RangeError} when a shape does not fit its data, or float32 cannot hold a number.
 */
export async function writeTensors(
  tensors: Tensors,
  fileName: string,
  options: WriteOptions = {},
): Promise<Uint8Array> {
  if (HDF5_ENDING.test(fileName)) return await writeHdf5(tensors, fileName, options);
  if (SAFETENSORS_ENDING.test(fileName)) return writeSafetensors(tensors, fileName, options);
  throw new TypeError(
    `Cannot write ${fileName}: its ending names no known format; use .h5, .hdf5 or .safetensors`,
  );
}
