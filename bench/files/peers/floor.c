/* The floor: libcurl and OpenSSL in a loop, nothing else. Download -> SHA-256 -> 8 MiB part -> UploadPart.
 *
 * One thread a job, one part buffer a job; the part goes up inside the download's write callback. No retries,
 * no verification, no checksum beside the SHA-256: what is left is the work nobody can avoid.
 *
 *   bench_floor ORIGIN ENDPOINT BUCKET COUNT SIZE CONCURRENCY
 * Prints one line a file: key, SHA-256.
 */
#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { kPart = 8 << 20, kReceive = 512 << 10 };

static const char *origin, *endpoint, *bucket;
static long long size_each;
static int count;
static atomic_int next_job;
static atomic_int failed;

typedef struct {
  CURL *get, *put;
  EVP_MD_CTX* hash;
  char *part, *etags;
  size_t held, sent, etags_used;
  int number, job;
  char upload_id[512], answer[4096], etag[256];
  size_t answer_used;
} Job;

static size_t keep_answer(char* data, size_t one, size_t n, void* to) {
  Job* job = to;
  size_t room = sizeof job->answer - 1 - job->answer_used, take = n < room ? n : room;
  (void)one;
  memcpy(job->answer + job->answer_used, data, take);
  job->answer_used += take;
  job->answer[job->answer_used] = 0;
  return n;
}

static size_t keep_etag(char* line, size_t one, size_t n, void* to) {
  Job* job = to;
  (void)one;
  if (n > 6 && strncasecmp(line, "etag:", 5) == 0) {
    size_t from = line[5] == ' ' ? 6 : 5, length = n - from;
    while (length > 0 && (line[from + length - 1] == '\r' || line[from + length - 1] == '\n')) length--;
    if (length >= sizeof job->etag) length = sizeof job->etag - 1;
    memcpy(job->etag, line + from, length);
    job->etag[length] = 0;
  }
  return n;
}

static size_t send_part(char* to, size_t one, size_t n, void* from) {
  Job* job = from;
  size_t left = job->held - job->sent, take = one * n < left ? one * n : left;
  memcpy(to, job->part + job->sent, take);
  job->sent += take;
  return take;
}

static void hmac(const void* key, size_t length, const char* text, unsigned char to[32]) {
  HMAC(EVP_sha256(), key, (int)length, (const unsigned char*)text, strlen(text), to, NULL);
}

static void hex32(const unsigned char bytes[32], char to[65]) {
  for (int i = 0; i < 32; i++) sprintf(to + 2 * i, "%02x", bytes[i]);
}

/* SigV4 by hand: libcurl 7.88 signs the headers it is told to leave out, and MinIO refuses a signed header
 * that does not come. `query` is in the canonical order already. */
static struct curl_slist* sign(struct curl_slist* headers, const char* method, const char* path,
                               const char* query) {
  char date[32], day[16], text[2048], hash[65], line[512];
  unsigned char key[32];
  struct tm at;
  time_t now = time(NULL);
  gmtime_r(&now, &at);
  strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &at);
  strftime(day, sizeof day, "%Y%m%d", &at);
  snprintf(text, sizeof text,
           "%s\n%s\n%s\nhost:%s\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:%s\n\n"
           "host;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD",
           method, path, query, strstr(endpoint, "://") + 3, date);
  EVP_Digest(text, strlen(text), key, NULL, EVP_sha256(), NULL);
  hex32(key, hash);
  snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%s/us-east-1/s3/aws4_request\n%s", date, day, hash);
  hmac("AWS4testsecret123", 17, day, key);
  hmac(key, 32, "us-east-1", key);
  hmac(key, 32, "s3", key);
  hmac(key, 32, "aws4_request", key);
  hmac(key, 32, text, key);
  hex32(key, hash);
  snprintf(line, sizeof line,
           "Authorization: AWS4-HMAC-SHA256 Credential=testkey/%s/us-east-1/s3/aws4_request, "
           "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=%s",
           day, hash);
  headers = curl_slist_append(headers, line);
  snprintf(line, sizeof line, "x-amz-date: %s", date);
  headers = curl_slist_append(headers, line);
  return curl_slist_append(headers, "x-amz-content-sha256: UNSIGNED-PAYLOAD");
}

/* One signed exchange; the body is the part (PUT) or `body` (POST). */
static int s3(Job* job, const char* method, const char* query, const char* body) {
  char url[1024];
  long status = 0;
  struct curl_slist* headers = NULL;
  char path[256];
  snprintf(path, sizeof path, "/%s/floor-%d", bucket, job->job);
  snprintf(url, sizeof url, "%s%s%s", endpoint, path, query);
  headers = sign(headers, method, path, query[0] == '?' ? query + 1 : query);
  headers = curl_slist_append(headers, "Expect:");
  headers = curl_slist_append(headers, "Content-Type:");
  curl_easy_reset(job->put);
  curl_easy_setopt(job->put, CURLOPT_URL, url);
  curl_easy_setopt(job->put, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(job->put, CURLOPT_UPLOAD_BUFFERSIZE, (long)kReceive);
  curl_easy_setopt(job->put, CURLOPT_WRITEFUNCTION, keep_answer);
  curl_easy_setopt(job->put, CURLOPT_WRITEDATA, job);
  curl_easy_setopt(job->put, CURLOPT_HEADERFUNCTION, keep_etag);
  curl_easy_setopt(job->put, CURLOPT_HEADERDATA, job);
  if (body) {
    curl_easy_setopt(job->put, CURLOPT_POST, 1L);
    curl_easy_setopt(job->put, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    curl_easy_setopt(job->put, CURLOPT_POSTFIELDS, body);
  } else {
    curl_easy_setopt(job->put, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(job->put, CURLOPT_INFILESIZE_LARGE, (curl_off_t)job->held);
    curl_easy_setopt(job->put, CURLOPT_READFUNCTION, send_part);
    curl_easy_setopt(job->put, CURLOPT_READDATA, job);
    job->sent = 0;
  }
  curl_easy_setopt(job->put, CURLOPT_CUSTOMREQUEST, method);
  job->answer_used = 0;
  CURLcode code = curl_easy_perform(job->put);
  curl_easy_getinfo(job->put, CURLINFO_RESPONSE_CODE, &status);
  curl_slist_free_all(headers);
  if (code != CURLE_OK || status / 100 != 2) {
    fprintf(stderr, "floor: %s %s: %s, HTTP %ld %s\n", method, url, curl_easy_strerror(code), status,
            job->answer);
    return 0;
  }
  return 1;
}

static int create(Job* job) {
  if (!s3(job, "POST", "?uploads=", "")) return 0;
  const char* from = strstr(job->answer, "<UploadId>");
  const char* to = from ? strstr(from, "</UploadId>") : NULL;
  if (!to || (size_t)(to - from) >= sizeof job->upload_id) return 0;
  from += strlen("<UploadId>");
  memcpy(job->upload_id, from, (size_t)(to - from));
  job->upload_id[to - from] = 0;
  return 1;
}

static int flush(Job* job) {
  char query[700];
  if (job->number == 0 && !create(job)) return 0;
  snprintf(query, sizeof query, "?partNumber=%d&uploadId=%s", ++job->number, job->upload_id);
  if (!s3(job, "PUT", query, NULL)) return 0;
  job->etags_used +=
      (size_t)sprintf(job->etags + job->etags_used, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>",
                      job->number, job->etag);
  job->held = 0;
  return 1;
}

static size_t take(char* data, size_t one, size_t n, void* to) {
  Job* job = to;
  (void)one;
  EVP_DigestUpdate(job->hash, data, n);
  for (size_t at = 0; at < n;) {
    size_t some = n - at < kPart - job->held ? n - at : kPart - job->held;
    memcpy(job->part + job->held, data + at, some);
    job->held += some;
    at += some;
    if (job->held == kPart && size_each > kPart && !flush(job)) return 0;
  }
  return n;
}

static int finish(Job* job) {
  if (job->number == 0) return s3(job, "PUT", "", NULL);
  if (job->held > 0 && !flush(job)) return 0;
  char query[700];
  size_t length = job->etags_used + 128;
  char* body = malloc(length);
  snprintf(body, length, "<CompleteMultipartUpload>%s</CompleteMultipartUpload>", job->etags);
  snprintf(query, sizeof query, "?uploadId=%s", job->upload_id);
  int ok = s3(job, "POST", query, body);
  free(body);
  return ok;
}

static void run(Job* job) {
  char url[1024];
  unsigned char digest[32];
  char hex[65];
  job->held = job->etags_used = 0;
  job->number = 0;
  job->etags[0] = 0;
  EVP_DigestInit_ex(job->hash, EVP_sha256(), NULL);
  snprintf(url, sizeof url, "%s/bytes/%lld/%d", origin, size_each, job->job);
  curl_easy_setopt(job->get, CURLOPT_URL, url);
  if (curl_easy_perform(job->get) != CURLE_OK || !finish(job)) {
    atomic_store(&failed, 1);
    return;
  }
  EVP_DigestFinal_ex(job->hash, digest, NULL);
  hex32(digest, hex);
  printf("floor-%d %s\n", job->job, hex);
}

static void* work(void* unused) {
  Job job = {0};
  size_t part = size_each < kPart ? (size_t)size_each : kPart;
  (void)unused;
  job.get = curl_easy_init();
  job.put = curl_easy_init();
  job.hash = EVP_MD_CTX_new();
  job.part = malloc(part > 0 ? part : 1);
  job.etags = malloc((size_t)(size_each / kPart + 2) * 400);
  curl_easy_setopt(job.get, CURLOPT_BUFFERSIZE, (long)kReceive);
  curl_easy_setopt(job.get, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(job.get, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(job.get, CURLOPT_WRITEDATA, &job);
  while ((job.job = atomic_fetch_add(&next_job, 1)) < count) run(&job);
  curl_easy_cleanup(job.get);
  curl_easy_cleanup(job.put);
  EVP_MD_CTX_free(job.hash);
  free(job.part);
  free(job.etags);
  return NULL;
}

int main(int argc, char** argv) {
  if (argc != 7) {
    fprintf(stderr, "usage: bench_floor ORIGIN ENDPOINT BUCKET COUNT SIZE CONCURRENCY\n");
    return 2;
  }
  origin = argv[1];
  endpoint = argv[2];
  bucket = argv[3];
  count = atoi(argv[4]);
  size_each = atoll(argv[5]);
  int threads = atoi(argv[6]);
  pthread_t* running = calloc((size_t)threads, sizeof *running);
  curl_global_init(CURL_GLOBAL_ALL);
  for (int i = 0; i < threads; i++) pthread_create(&running[i], NULL, work, NULL);
  for (int i = 0; i < threads; i++) pthread_join(running[i], NULL);
  free(running);
  return atomic_load(&failed);
}
