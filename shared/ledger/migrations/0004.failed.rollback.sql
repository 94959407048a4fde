DROP INDEX file_sync_failed_name, file_sync_failed_type;
