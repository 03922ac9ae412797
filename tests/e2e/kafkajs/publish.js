// Publishes with kafkajs: `node publish.js BOOTSTRAP TOPIC < messages`, one JSON object a line,
// {"codec": "none" | "gzip" | "snappy" | "lz4" | "zstd", "key": …, "value": …}.
// Found beside the packages by NODE_PATH.
const { Kafka, CompressionCodecs, CompressionTypes, logLevel } = require('kafkajs')
const snappy = require('kafkajs-snappy')
const lz4 = require('lz4-napi')
const zstd = require('@bokuweb/zstd-wasm')

CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: ({ buffer }) => lz4.compressFrame(buffer),
  decompress: (buffer) => lz4.decompressFrame(buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async ({ buffer }) => Buffer.from(zstd.compress(buffer)),
  decompress: async (buffer) => Buffer.from(zstd.decompress(buffer)),
})

const codecs = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

async function main([bootstrap, topic]) {
  await zstd.init()
  const kafka = new Kafka({ clientId: 'outside', brokers: [bootstrap], logLevel: logLevel.ERROR })
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  for (const line of require('fs').readFileSync(0, 'utf8').trim().split('\n')) {
    const { codec, key, value } = JSON.parse(line)
    await producer.send({ topic, acks: -1, compression: codecs[codec], messages: [{ key, value }] })
  }
  await producer.disconnect()
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error)
  process.exit(1)
})
