// The Node way: undici's body through a hashing transform into lib-storage's Upload.
//
// usage: node node_peer.mjs ORIGIN ENDPOINT BUCKET COUNT SIZE CONCURRENCY
import { createHash } from "node:crypto";
import { PassThrough, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

import { S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { request } from "undici";

const [origin, endpoint, bucket, count, size, concurrency] = process.argv.slice(2);
const client = new S3Client({
  endpoint,
  region: "us-east-1",
  forcePathStyle: true,
  credentials: { accessKeyId: "testkey", secretAccessKey: "testsecret123" },
});

async function one(number) {
  const key = `node-${number}`;
  const hash = createHash("sha256");
  const hashing = new Transform({
    transform(chunk, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const Body = new PassThrough();
  const { body } = await request(`${origin}/bytes/${size}/${number}`);
  const upload = new Upload({
    client,
    params: { Bucket: bucket, Key: key, Body },
    queueSize: 4,
    partSize: 8 * 1024 * 1024,
  });
  await Promise.all([pipeline(body, hashing, Body), upload.done()]);
  console.log(`${key} ${hash.digest("hex")}`);
}

let next = 0;
async function lane() {
  while (next < Number(count)) await one(next++);
}
await Promise.all(Array.from({ length: Number(concurrency) }, lane));
