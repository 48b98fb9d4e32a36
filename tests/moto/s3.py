"""What S3 does and moto does not: it knows when an upload is gone, completes one only where nothing stands if
it is asked so, and locks what was uploaded in parts."""

from moto.s3.exceptions import NoSuchUpload, PreconditionFailed
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

LOCK = ("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date")


def post(answer):
    def wrapped(response, request, body, bucket_name, query, key_name):
        backend = response.backend
        multiparts = backend.get_bucket(bucket_name).multiparts
        if "uploadId" in query:
            upload = query["uploadId"][0]
            if upload not in multiparts:
                raise NoSuchUpload(upload_id=upload)
            there = backend.get_object(bucket_name, key_name) is not None
            if request.headers.get("If-None-Match") == "*" and there:
                raise PreconditionFailed("If-None-Match")
            lock = getattr(multiparts[upload], "lock", (None, None))
            answered = answer(response, request, body, bucket_name, query, key_name)
            key = backend.get_object(bucket_name, key_name)
            if lock[0] and key is not None:
                key.lock_mode, key.lock_until = lock
            return answered
        before = set(multiparts)
        answered = answer(response, request, body, bucket_name, query, key_name)
        for upload in set(multiparts) - before:
            multiparts[upload].lock = tuple(request.headers.get(name) for name in LOCK)
        return answered

    return wrapped


def part(put):
    def wrapped(backend, bucket_name, multipart_id, part_id, value):
        if multipart_id not in backend.get_bucket(bucket_name).multiparts:
            raise NoSuchUpload(upload_id=multipart_id)
        return put(backend, bucket_name, multipart_id, part_id, value)

    return wrapped


S3Response._key_response_post = post(S3Response._key_response_post)
S3Backend.upload_part = part(S3Backend.upload_part)
