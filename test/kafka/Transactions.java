import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Kafka's own transactional producers, driven by lines such as `a begin`, `a send 0 value`, `a commit`, `a abort`, `a close`. */
public class Transactions {
  public static void main(String[] args) throws Exception {
    Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = in.readLine()) != null; ) {
      String[] words = line.split(" ", 4);
      KafkaProducer<byte[], byte[]> producer = producers.get(words[0]);
      if (producer == null) {
        Properties p = new Properties();
        p.put("bootstrap.servers", args[0]);
        p.put("transactional.id", args[1] + "-" + words[0]);
        p.put("key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        p.put("value.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        producer = new KafkaProducer<>(p);
        producer.initTransactions();
        producers.put(words[0], producer);
      }
      switch (words[1]) {
        case "begin" -> producer.beginTransaction();
        case "send" -> {
          int partition = Integer.parseInt(words[2]);
          producer.send(new ProducerRecord<>(args[1], partition, null, words[3].getBytes("UTF-8"))).get();
        }
        case "commit" -> producer.commitTransaction();
        case "abort" -> producer.abortTransaction();
        default -> throw new IllegalArgumentException(line);
      }
    }
    System.out.println("done");
    // An open transaction stays open: the process ends without closing its producers.
    Runtime.getRuntime().halt(0);
  }
}
